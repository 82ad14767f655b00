//! Which observed thing each declared one is, in lists whose items have no names.

/// Whether a declared thing is that observed one.
pub(super) type Rule<'r, D, O> = &'r dyn Fn(&D, &O) -> bool;

/// Which observed thing each declared one is: for each rule in turn, the first that is nobody's yet.
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

/// Behind which declared item each observed one belongs that has none: behind the one of its predecessor.
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
