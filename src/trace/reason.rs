//! Why a trace ends at an output.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::through::Mix;
use crate::tag::Tag;

/// Why a trace ends at an output.
///
/// # Examples
///
/// ```
/// use fundtrace::trace::Reason;
/// assert_eq!(Reason::UnknownSpender.as_str(), "unknown_spender");
/// assert!(Reason::Hops.is_limit());
/// assert!(!Reason::Unspent.is_limit());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// Nothing spends it: the chain is complete to its tip, or a source says so.
    Unspent,
    /// No transaction of the view spends it, and nobody said that none does. As of a height, a spender above it is not looked at.
    UnknownSpender,
    /// The transaction that spends it has an input of unknown value, so nothing can be shared out.
    UnknownPrevout,
    /// It pays a tagged service; the first of its tags at which to stop. One that a cluster carried here [says so](Tag::inferred).
    Tagged(Arc<Tag>),
    /// It is as many hops from a seed as were allowed.
    Hops,
    /// It holds less taint than was asked for.
    Below,
    /// Its spender stands above the height asked for, or has none.
    AsOf,
    /// The budget of transactions was spent.
    Budget,
    /// The transaction that spends it is said to be a mix, and the run stops at mixes.
    Mix(Arc<Mix>),
    /// A rule about services says whose address it is, and the run stops there: an inference.
    Classified(Arc<Classed>),
    /// A rule of the caller's; what it said.
    Custom(Arc<str>),
}

/// What a rule about services says of the address at which a trace ended: an inference.
///
/// # Examples
///
/// ```
/// use fundtrace::trace::{Classed, Reason};
/// let classed = Classed::new("deposit address", "Example Exchange", "exchange", "deposit/2", 850_000);
/// let reason = Reason::Classified(classed.into());
/// assert_eq!(reason.to_string(), "classified (deposit address of Example Exchange, rule deposit/2, confidence 85 %)");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Classed {
    /// What the address is.
    pub kind: String,
    /// Whose.
    pub label: String,
    /// What kind of service that is; empty where nobody says.
    pub category: String,
    /// The rule and its version.
    pub rule: String,
    /// How sure the rule is, in parts of a million.
    pub confidence_ppm: u32,
    text: String,
}

impl Classed {
    /// Says what an address is, whose, of which category, by which rule and how sure that is, in parts of a million.
    pub fn new(kind: &str, label: &str, category: &str, rule: &str, confidence_ppm: u32) -> Self {
        let text = format!("{kind} of {label}, rule {rule}, confidence {} %", confidence_ppm / 10_000);
        let [kind, label, category, rule] = [kind, label, category, rule].map(str::to_owned);
        Self { kind, label, category, rule, confidence_ppm, text }
    }
}

impl Reason {
    /// Returns the name, in snake case.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unspent => "unspent",
            Self::UnknownSpender => "unknown_spender",
            Self::UnknownPrevout => "unknown_prevout",
            Self::Tagged(_) => "tagged",
            Self::Hops => "hops",
            Self::Below => "below",
            Self::AsOf => "as_of",
            Self::Budget => "budget",
            Self::Mix(_) => "mix",
            Self::Classified(_) => "classified",
            Self::Custom(_) => "custom",
        }
    }

    /// Returns what goes with it: the tag's label, the mix or the class of an address with rule and confidence, or what the caller's rule said.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Tagged(tag) => Some(&tag.label),
            Self::Mix(mix) => Some(&mix.text),
            Self::Classified(classed) => Some(&classed.text),
            Self::Custom(detail) => Some(detail),
            _ => None,
        }
    }

    /// True when a limit of the analyst's cut the trace here: the balance sheet calls such value truncated.
    pub fn is_limit(&self) -> bool {
        matches!(self, Self::Hops | Self::Below | Self::AsOf | Self::Budget)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        if let Self::Tagged(tag) = self {
            let inferred = tag.inferred.as_ref().map_or(String::new(), |inferred| format!(", {inferred}"));
            let days =
                Some(tag.days()).filter(|days| !days.is_empty()).map_or(String::new(), |days| format!("; {days}"));
            return write!(f, " ({}{inferred}{days})", tag.label);
        }
        self.detail().map_or(Ok(()), |detail| write!(f, " ({detail})"))
    }
}
