//! Matches declared and observed items of lists whose items have no names.

/// Whether a declared item is that observed one.
pub(super) type Rule<'r, D, O> = &'r dyn Fn(&D, &O) -> bool;

/// The index of the observed item that each declared one is. The rules are tried in turn; each takes the first unmatched
/// item.
pub(super) fn paired<D, O>(
    declared: &[D],
    observed: &[O],
    rules: &[Rule<'_, D, O>],
) -> Vec<Option<usize>> {
    let mut pairs: Vec<Option<usize>> = vec![None; declared.len()];
    let mut taken = vec![false; observed.len()];
    for rule in rules {
        for (stated, pair) in declared.iter().zip(&mut pairs) {
            if pair.is_some() {
                continue;
            }
            let mut free = observed.iter().enumerate().filter(|(at, _)| !taken[*at]);
            if let Some((at, _)) = free.find(|(_, there)| rule(stated, there)) {
                taken[at] = true;
                *pair = Some(at);
            }
        }
    }
    pairs
}

/// The unmatched observed items, each with the index of the declared item that it is to follow: its predecessor's.
pub(super) fn unpaired(pairs: &[Option<usize>], observed: usize) -> Vec<(Option<usize>, usize)> {
    let mut behind = None;
    let mut new = Vec::new();
    for at in 0..observed {
        match pairs.iter().position(|pair| *pair == Some(at)) {
            Some(item) => behind = Some(item),
            None => new.push((behind, at)),
        }
    }
    new
}
