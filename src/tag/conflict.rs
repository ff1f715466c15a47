//! Where sources contradict each other.

use std::fmt;

use super::Tag;

/// An address or a cluster on which tags contradict each other: all its tags that were not retracted, in the order they were added.
///
/// # Examples
///
/// See [`Tags::conflicts`](super::Tags::conflicts).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Conflict<'t> {
    /// The address, or the script in hex where there is none.
    pub place: String,
    /// What is said of it.
    pub tags: Vec<&'t Tag>,
}

impl<'t> Conflict<'t> {
    /// The conflict among these tags, if two of them contradict each other.
    pub(crate) fn among(place: String, tags: &'t [Tag]) -> Option<Self> {
        let standing: Vec<&Tag> = tags.iter().filter(|tag| tag.retracted.is_none()).collect();
        are_at_odds(&standing).then_some(Self { place, tags: standing })
    }
}

/// Whether two of these contradict each other: in one pass for each thing that they can differ in, for a hostile file may name one address
/// a million times.
///
/// Morally `tags.any(|a| tags.any(|b| a.contradicts(b)))`.
pub(crate) fn are_at_odds(tags: &[&Tag]) -> bool {
    let differ = |a: &str, b: &str| !a.trim().eq_ignore_ascii_case(b.trim());
    let vary = |said: &mut dyn Iterator<Item = &String>| {
        let mut said = said.filter(|text| !text.is_empty());
        said.next().is_some_and(|first| said.any(|other| differ(first, other)))
    };
    let owners = || tags.iter().filter(|tag| tag.names_owner());
    // Labels count where one of the two has no actor, so against the first such label.
    let bare = owners().find(|tag| tag.actor.is_empty() && !tag.label.is_empty());
    let labels = bare.is_some_and(|bare| owners().any(|tag| !tag.label.is_empty() && differ(&bare.label, &tag.label)));
    labels || vary(&mut owners().map(|tag| &tag.category)) || vary(&mut owners().map(|tag| &tag.actor))
}

impl fmt::Display for Conflict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        for (at, tag) in self.tags.iter().enumerate() {
            write!(f, "{}{tag}", if at == 0 { "" } else { "; or " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pass_finds_what_pairs_find() {
        let words = ["", "A", "a ", "B"];
        let tag = |n: usize| {
            let [label, category, actor] = [n % 4, n / 4 % 4, n / 16 % 4].map(|at| words[at]);
            Tag::new(label, category, "").actor(actor).abuse(if (n / 64).is_multiple_of(3) { "scam" } else { "" })
        };
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                usize::try_from(state >> 40).expect("24 bits fit")
            };
            let tags: Vec<Tag> = (0..next() % 5).map(|_| tag(next())).collect();
            let refs: Vec<&Tag> = tags.iter().collect();
            let pairs = tags.iter().any(|a| tags.iter().any(|b| a.contradicts(b)));
            assert_eq!(are_at_odds(&refs), pairs, "{tags:?}");
        }
    }
}
