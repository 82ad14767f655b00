//! SHA-1 (RFC 3174), which git uses for object ids. Not for secrets.

pub(crate) fn sha1(bytes: &[u8]) -> [u8; 20] {
    let mut chain: [u32; 5] = [
        0x6745_2301,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0,
    ];
    let mut padded = bytes.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    let bits = (bytes.len() as u64) * 8;
    padded.extend_from_slice(&bits.to_be_bytes());
    for block in padded.chunks_exact(64) {
        chain = mixed(chain, block);
    }
    let mut out = [0; 20];
    for (place, word) in out.chunks_exact_mut(4).zip(chain) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    out
}

fn mixed(chain: [u32; 5], block: &[u8]) -> [u32; 5] {
    let mut words = [0u32; 80];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u32::from(*byte));
    }
    for at in 16..80 {
        words[at] =
            (words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16]).rotate_left(1);
    }
    let mut now = chain;
    for (round, word) in words.iter().enumerate() {
        let [first, second, third, fourth, fifth] = now;
        let (choice, key) = match round {
            0..20 => ((second & third) | (!second & fourth), 0x5a82_7999),
            20..40 => (second ^ third ^ fourth, 0x6ed9_eba1),
            40..60 => (
                (second & third) | (second & fourth) | (third & fourth),
                0x8f1b_bcdc,
            ),
            _ => (second ^ third ^ fourth, 0xca62_c1d6_u32),
        };
        let next = first
            .rotate_left(5)
            .wrapping_add(choice)
            .wrapping_add(fifth)
            .wrapping_add(key)
            .wrapping_add(*word);
        now = [next, first, second.rotate_left(30), third, fourth];
    }
    std::array::from_fn(|at| chain[at].wrapping_add(now[at]))
}

#[cfg(test)]
mod tests {
    use super::sha1;

    #[test]
    fn the_test_vectors_of_the_standard_match() {
        let million = vec![b'a'; 1_000_000];
        for (text, digest) in [
            (&b""[..], "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            (b"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
            ),
            (&million, "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
        ] {
            assert_eq!(hex::encode(sha1(text)), digest);
        }
    }
}
