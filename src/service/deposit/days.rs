//! The days on which a service's tags hold.

use crate::chain::Tx;
use crate::id::AddressIndex;
use crate::tag::Date;

/// From a day to another, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    pub(super) since: Option<Date>,
    pub(super) until: Option<Date>,
}

impl Span {
    fn is_open(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    fn holds(&self, day: Date) -> bool {
        self.since.is_none_or(|since| since <= day) && self.until.is_none_or(|until| day <= until)
    }
}

/// By address, when its service's tags hold.
#[derive(Clone, Default, Debug)]
pub(super) struct Days {
    /// Different lists of spans.
    spans: Vec<Vec<Span>>,
    /// Addresses that are a service's on some days only, ascending, with the place of their spans.
    of: Vec<(AddressIndex, usize)>,
}

impl Days {
    /// Of addresses in ascending order.
    pub(super) fn of<'s>(dated: impl IntoIterator<Item = (AddressIndex, &'s [Span])>) -> Self {
        let mut days = Self::default();
        for (address, spans) in dated {
            if spans.is_empty() || spans.iter().any(Span::is_open) {
                continue;
            }
            let known = days.spans.iter().position(|known| known == spans).unwrap_or_else(|| {
                days.spans.push(spans.to_vec());
                days.spans.len() - 1
            });
            days.of.push((address, known));
        }
        days
    }

    /// True when what a transaction pays to an address counts: some tag holds on its day, or the day is not known.
    pub(super) fn hold(&self, address: Option<AddressIndex>, tx: Tx<'_>) -> bool {
        let spans = address.and_then(|address| self.spans_of(address));
        let (Some(spans), Some(day)) = (spans, spans.and_then(|_| tx.time())) else { return true };
        let day = Date::of_unix(day);
        spans.iter().any(|span| span.holds(day))
    }

    /// True when an address is a service's on some days only.
    pub(super) fn are_limited(&self, address: AddressIndex) -> bool {
        self.spans_of(address).is_some()
    }

    fn spans_of(&self, address: AddressIndex) -> Option<&[Span]> {
        let at = self.of.binary_search_by_key(&address, |(of, _)| *of).ok()?;
        Some(&self.spans[self.of[at].1])
    }
}
