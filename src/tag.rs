//! Attribution as data: who is said to stand behind an address, who says so, and how far to trust it.
//!
//! A tag is an inference of somebody's, never a fact of the chain: it keeps its source, its confidence and the days between which it
//! holds. Sources stand side by side and are never merged: two tags on one address are two tags, and where they name different owners
//! that is a [conflict](Tags::conflicts), to be seen and not resolved in silence.
//!
//! - [`read`] reads a file of tags into a [`Pack`]: a GraphSense TagPack (feature `tagpack`), a list of sanctioned addresses, or CSV
//!   (feature `csv`). What of it cannot be used is counted and named in the pack.
//! - [`Tags`] hold the tags of all packs by address. The order in which they are added is the analyst's order of trust: where a trace
//!   stops at an address with several tags, the first of them is the reason.
//! - [`cluster::spread`](crate::cluster::spread()) carries tags on to the clusters of their addresses; what it adds says that it is
//!   [inferred](Tag::inferred), and comes after every tag on the address itself.
//!
//! # Days
//!
//! `since` and `until` say when the address was the owner's: an output is judged by the day of its block, and one whose day nobody told
//! by no day at all, so that such a tag holds. A tag that was `retracted` holds never: whoever made it says that it was wrong.
//! [`Tags::as_of`] gives the tags as they were known on a day, before later retractions. [`Tags::lapsed`] are those that do not hold, to be shown.

mod by_address;
mod confidence;
mod conflict;
#[cfg(feature = "csv")]
mod csv;
mod date;
mod envelope;
mod kind;
mod pack;
mod said;
mod sanctions;
#[cfg(feature = "tagpack")]
mod tagpack;

pub use by_address::Tags;
pub use confidence::{Confidence, Level};
pub use conflict::Conflict;
pub(crate) use conflict::are_at_odds;
pub use date::Date;
pub(crate) use envelope::wrapped;
pub use pack::{Form, Listing, Pack, Unusable, read};

use serde::{Deserialize, Serialize};

/// A label for an address, and where it comes from.
///
/// As JSON it has `label`, `category` and `source` always, and the others where they say something.
///
/// # Examples
///
/// ```
/// use fundtrace::tag::{Date, Level, Tag};
/// let tag = Tag::new("Example Exchange", "exchange", "court filing 12-345, exhibit 3").confidence(Level::AuthorityData);
/// assert_eq!(tag.category, "exchange");
/// assert_eq!(tag.to_string(), "Example Exchange (exchange; confidence 60 of 100, authority_data; says court filing 12-345, exhibit 3)");
/// let until = tag.clone().until("2019-12-31".parse()?);
/// let day = |text: &str| text.parse::<Date>();
/// assert!(until.holds_on(Some(day("2019-12-31")?)) && !until.holds_on(Some(day("2020-01-01")?)));
/// assert!(!tag.retracted("2024-01-01".parse()?).holds_on(Some(day("2019-12-31")?)));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Tag {
    /// Who or what it is.
    pub label: String,
    /// What kind of service or actor it is.
    #[serde(default)]
    pub category: String,
    /// Who says so.
    #[serde(default)]
    pub source: String,
    /// How far the source is to be trusted; `None` where nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// Whether its source says that it stands for the whole cluster of its address, and not for this address alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cluster_definer: bool,
    /// A name for the owner that tags of several labels share; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// What abuse the address was part of; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub abuse: String,
    /// Further concepts of a taxonomy, besides category and abuse.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub concepts: Vec<String>,
    /// Whatever else its source tells, often JSON.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub context: String,
    /// When its source last changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lastmod: Option<Date>,
    /// The first day on which it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Date>,
    /// The last day on which it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retracted: Option<Date>,
    /// The title of the collection it comes from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pack: String,
    /// Who made that collection.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub creator: String,
    /// Under which licence it may be passed on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub license: String,
    /// How it came to this address, where its source spoke of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inferred: Option<Inferred>,
}

/// How a tag came to an address of which its source says nothing: through a cluster, or by a rule about services.
///
/// # Examples
///
/// See [`cluster::spread`](crate::cluster::spread()).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Inferred {
    /// The address that the source tagged; of a rule about services, one of the service's to which this one's coins go. Empty where none is named.
    pub from: String,
    /// The rules that joined the two, with their versions and parameters.
    pub rule: String,
    /// The first address of the cluster, which is its name; empty where no cluster has to do with it.
    pub cluster: String,
}

impl Inferred {
    /// Says from which address a tag was carried on, by which rules, in which cluster.
    pub fn new(from: impl Into<String>, rule: impl Into<String>, cluster: impl Into<String>) -> Self {
        Self { from: from.into(), rule: rule.into(), cluster: cluster.into() }
    }
}

/// Setters that take the tag and give it back.
macro_rules! setters {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $value:expr;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $field(mut self, $field: $type) -> Self {
            self.$field = $value;
            self
        }
    )*};
}

impl Tag {
    /// Makes a tag of no stated confidence that holds on every day.
    pub fn new(label: impl Into<String>, category: impl Into<String>, source: impl Into<String>) -> Self {
        Self { label: label.into(), category: category.into(), source: source.into(), ..Self::default() }
    }

    setters! {
        /// Says how far the source is to be trusted.
        confidence: impl Into<Confidence> = Some(confidence.into());
        /// Says whether it stands for the whole cluster of its address.
        is_cluster_definer: bool = is_cluster_definer;
        /// Names the owner as tags of other labels do.
        actor: impl Into<String> = actor.into();
        /// Names the abuse that the address was part of.
        abuse: impl Into<String> = abuse.into();
        /// Names further concepts.
        concepts: Vec<String> = concepts;
        /// Adds what else the source tells.
        context: impl Into<String> = context.into();
        /// Says when the source last changed it.
        lastmod: Date = Some(lastmod);
        /// Sets the first day on which it holds.
        since: Date = Some(since);
        /// Sets the last day on which it holds.
        until: Date = Some(until);
        /// Takes it back, as of this day.
        retracted: Date = Some(retracted);
        /// Names the collection it comes from.
        pack: impl Into<String> = pack.into();
        /// Names who made that collection.
        creator: impl Into<String> = creator.into();
        /// Names the licence under which it may be passed on.
        license: impl Into<String> = license.into();
        /// Says how it came to this address.
        inferred: Inferred = Some(inferred);
    }

    /// Whether it holds on a day: not retracted, and within its days. On an unknown day only a retraction counts against it.
    pub fn holds_on(&self, day: Option<Date>) -> bool {
        let within =
            |day: Date| self.since.is_none_or(|since| since <= day) && self.until.is_none_or(|until| day <= until);
        self.retracted.is_none() && day.is_none_or(within)
    }

    /// Whether it names the same owner from the same source.
    fn says_as(&self, other: &Self) -> bool {
        (&self.label, &self.category, &self.source, &self.actor)
            == (&other.label, &other.category, &other.source, &other.actor)
    }
}
