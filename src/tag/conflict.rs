//! Where sources contradict each other.

use std::collections::BTreeMap;
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
    /// The conflict among these tags, if two of them contradict each other. Quadratic in the owners that they name.
    pub(crate) fn among(place: String, tags: &'t [Tag]) -> Option<Self> {
        let standing: Vec<&Tag> = tags.iter().filter(|tag| tag.retracted.is_none()).collect();
        let mut said = BTreeMap::new();
        for tag in &standing {
            said.entry((&tag.actor, &tag.label, &tag.category, tag.abuse.is_empty())).or_insert(*tag);
        }
        let said: Vec<&Tag> = said.into_values().collect();
        let at_odds = |(at, tag): (usize, &&Tag)| said[..at].iter().any(|other| other.contradicts(tag));
        said.iter().enumerate().any(at_odds).then_some(Self { place, tags: standing })
    }
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
