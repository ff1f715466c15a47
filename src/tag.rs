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
//! [`Tags::as_of`] gives the tags as they were known on a day, before later retractions.

mod confidence;
mod conflict;
#[cfg(feature = "csv")]
mod csv;
mod date;
mod pack;
mod sanctions;
#[cfg(feature = "tagpack")]
mod tagpack;

pub use confidence::{Confidence, Level};
pub use conflict::Conflict;
pub(crate) use conflict::are_at_odds;
pub use date::Date;
pub use pack::{Form, Listing, Pack, Unusable, read};

use std::collections::HashMap;
use std::fmt;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::{Address, Network, Script, ScriptBuf};
use serde::{Deserialize, Serialize};

use crate::chain::{Output, View};
use crate::id::AddressIndex;

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

/// How a tag came to an address of which its source says nothing: through a cluster.
///
/// # Examples
///
/// See [`cluster::spread`](crate::cluster::spread()).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Inferred {
    /// The address that the source tagged.
    pub from: String,
    /// The rules that joined the two, with their versions and parameters.
    pub rule: String,
    /// The first address of the cluster, which is its name.
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

    fn names_owner(&self) -> bool {
        !self.actor.is_empty() || self.abuse.is_empty()
    }

    /// Whether it names the same owner from the same source.
    fn says_as(&self, other: &Self) -> bool {
        (&self.label, &self.category, &self.source, &self.actor)
            == (&other.label, &other.category, &other.source, &other.actor)
    }

    /// Whether its category, its abuse or one of its concepts is this, but for the case of ASCII letters.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::tag::Tag;
    /// let tag = Tag::new("Example Group", "user", "a list").abuse("sanction");
    /// assert!(tag.is_of("Sanction") && tag.is_of("user") && !tag.is_of("exchange"));
    /// ```
    pub fn is_of(&self, category: &str) -> bool {
        let own = [&self.category, &self.abuse].into_iter().chain(&self.concepts);
        !category.is_empty() && own.into_iter().any(|known| known.eq_ignore_ascii_case(category))
    }

    /// Whether the two cannot both be right: they name different owners, or different kinds of owner.
    ///
    /// Owners are compared by actor where both name one, else by label, but for case. A tag that names an abuse and no actor says what was
    /// done and not who did it, and contradicts nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::tag::Tag;
    /// let tag = |label| Tag::new(label, "exchange", "a list");
    /// assert!(tag("A").contradicts(&tag("B")) && !tag("A").contradicts(&tag("a")));
    /// assert!(!tag("A hot").actor("a").contradicts(&tag("A cold").actor("a")));
    /// assert!(!tag("A").contradicts(&tag("listed").abuse("sanction")));
    /// ```
    pub fn contradicts(&self, other: &Self) -> bool {
        if !self.names_owner() || !other.names_owner() {
            return false;
        }
        let differ = |a: &str, b: &str| !a.is_empty() && !b.is_empty() && !a.trim().eq_ignore_ascii_case(b.trim());
        let owners = if self.actor.is_empty() || other.actor.is_empty() {
            differ(&self.label, &other.label)
        } else {
            differ(&self.actor, &other.actor)
        };
        owners || differ(&self.category, &other.category)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut notes: Vec<String> = Vec::new();
        notes.extend([&self.category, &self.abuse].into_iter().filter(|word| !word.is_empty()).cloned());
        notes.extend(self.confidence.map(|confidence| format!("confidence {confidence}")));
        if !self.source.is_empty() {
            let date = self.lastmod.map_or(String::new(), |date| format!(", {date}"));
            notes.push(format!("says {}{date}", self.source));
        }
        notes.extend(
            self.inferred.as_ref().map(|Inferred { from, rule, .. }| format!("inferred from {from} by {rule}")),
        );
        f.write_str(&self.label)?;
        if notes.is_empty() { Ok(()) } else { write!(f, " ({})", notes.join("; ")) }
    }
}

/// Tags by address.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::ScriptBuf;
/// use fundtrace::tag::{Tag, Tags};
/// let mut tags = Tags::default();
/// tags.insert(ScriptBuf::from_hex("51")?, Tag::new("anyone", "", "the script itself"));
/// assert_eq!(tags.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, Debug)]
pub struct Tags {
    /// Keyed by canonical script, so that a tag on a P2PKH address covers the P2PK outputs of its key.
    by_script: HashMap<ScriptBuf, Vec<Tag>>,
    /// What clusters add, of one chain.
    spread: Spread,
}

/// Tags carried on to the addresses of clusters.
#[derive(Clone, Default, Debug)]
struct Spread {
    /// A place for each cluster that has a tag.
    clusters: Vec<Vec<Tag>>,
    /// The addresses of those clusters, ascending, each with its cluster's place.
    addresses: Vec<(AddressIndex, u32)>,
}

impl Tags {
    /// Adds a tag for a script, and for every script that shares its address. Several tags on one are kept side by side.
    pub fn insert(&mut self, script: ScriptBuf, tag: Tag) {
        let key = crate::chain::canonical(&script).map(|canonical| canonical.into_owned());
        self.by_script.entry(key.unwrap_or(script)).or_default().push(tag);
    }

    /// Adds every tag of a pack, after those that are there.
    pub fn add(&mut self, pack: &Pack) {
        for (script, tag) in pack.tags() {
            self.insert(script.to_owned(), tag.clone());
        }
    }

    /// Puts these before others: on an address that both tag, these come first. What clusters add is left out.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::bitcoin::ScriptBuf;
    /// use fundtrace::tag::{Tag, Tags};
    /// let one = |label| {
    ///     let mut tags = Tags::default();
    ///     tags.insert(ScriptBuf::new(), Tag::new(label, "", "this example"));
    ///     tags
    /// };
    /// let both = one("A").before(one("B"));
    /// let labels: Vec<&str> = both.iter().flat_map(|(_, tags)| tags).map(|tag| tag.label.as_str()).collect();
    /// assert_eq!(labels, ["A", "B"]);
    /// ```
    #[must_use]
    pub fn before(mut self, others: Self) -> Self {
        self.spread = Spread::default();
        for (script, tags) in others.by_script {
            self.by_script.entry(script).or_default().extend(tags);
        }
        self
    }

    /// Returns the tags on the address or script that an output pays, in the order they were added, whether they hold or not, and without
    /// what clusters add.
    pub fn of(&self, output: Output<'_>) -> &[Tag] {
        output.script().map_or(&[], |script| self.of_script(script))
    }

    /// Iterates the tags that hold of an output on the day of its block: those on its address first, in the order they were added, then what
    /// clusters add.
    ///
    /// Tags that were [spread](crate::cluster::spread()) are of the chain that was clustered; outputs of another must not be asked about.
    pub fn holding(&self, output: Output<'_>) -> impl Iterator<Item = &Tag> {
        let inferred = if self.spread.addresses.is_empty() { &[] } else { self.inferred(output.address_index()) };
        let own = self.of(output);
        let is_new = move |tag: &&Tag| !own.iter().any(|own| own.says_as(tag));
        let mut tags = own.iter().chain(inferred.iter().filter(is_new)).peekable();
        // Most outputs have no tag, and then nobody need know the day.
        let day = tags.peek().and_then(|_| output.tx().time()).map(Date::of_unix);
        tags.filter(move |tag| tag.holds_on(day))
    }

    /// Returns how many addresses are tagged, not counting those that only a cluster's tag covers.
    pub fn len(&self) -> usize {
        self.by_script.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.by_script.is_empty()
    }

    /// Returns how many addresses the tags of clusters cover, the tagged ones among them.
    pub fn covered(&self) -> usize {
        self.spread.addresses.len()
    }

    /// Iterates the tagged scripts with their tags, by script, without what clusters add.
    pub fn iter(&self) -> impl Iterator<Item = (&Script, &[Tag])> {
        let mut all: Vec<(&Script, &[Tag])> =
            self.by_script.iter().map(|(script, tags)| (script.as_script(), tags.as_slice())).collect();
        all.sort_unstable_by_key(|(script, _)| script.as_bytes());
        all.into_iter()
    }

    /// Iterates the addresses on which tags contradict each other, by script, then the clusters over which contradicting tags were spread.
    /// Retracted tags are left out.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::bitcoin::{Network, ScriptBuf};
    /// use fundtrace::tag::{Tag, Tags};
    /// let mut tags = Tags::default();
    /// for (label, source) in [("Example Exchange", "a court"), ("Another Exchange", "a forum")] {
    ///     tags.insert(ScriptBuf::from_hex("51")?, Tag::new(label, "exchange", source));
    /// }
    /// let conflict = tags.conflicts(Network::Bitcoin).next().unwrap();
    /// assert_eq!(conflict.tags.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn conflicts(&self, network: Network) -> impl Iterator<Item = Conflict<'_>> {
        let clusters = self.spread.clusters.iter().filter_map(|tags| {
            let name = &tags.first()?.inferred.as_ref()?.cluster;
            Conflict::among(format!("the cluster of {name}"), tags)
        });
        self.iter().filter_map(move |(script, tags)| Conflict::among(place(script, network), tags)).chain(clusters)
    }

    /// Returns the tags as they were known on a day: without those changed last after it, and with those that were retracted after it. Tags
    /// that do not say when they were changed stay. What clusters added is left out, as it rests on all of them.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::bitcoin::ScriptBuf;
    /// use fundtrace::tag::{Tag, Tags};
    /// let mut tags = Tags::default();
    /// tags.insert(ScriptBuf::new(), Tag::new("A", "", "a list").lastmod("2020-01-01".parse()?).retracted("2022-01-01".parse()?));
    /// assert_eq!(tags.as_of("2019-12-31".parse()?).len(), 0);
    /// let then = tags.as_of("2021-01-01".parse()?);
    /// assert!(then.iter().next().unwrap().1[0].retracted.is_none());
    /// # Ok::<(), String>(())
    /// ```
    #[must_use]
    pub fn as_of(&self, day: Date) -> Self {
        let mut known = Self::default();
        for (script, tags) in &self.by_script {
            let mut then: Vec<Tag> =
                tags.iter().filter(|tag| tag.lastmod.is_none_or(|changed| changed <= day)).cloned().collect();
            for tag in &mut then {
                tag.retracted = tag.retracted.filter(|retracted| *retracted <= day);
            }
            if !then.is_empty() {
                known.by_script.insert(script.clone(), then);
            }
        }
        known
    }

    /// Hashes the tags, whatever order the addresses were added in: two runs with one hash stopped at the same tags.
    ///
    /// SHA-256 over a line for each tag, sorted: the script in hex, from the second tag on its place, then label, category and source,
    /// each quoted, then the whole tag as JSON where it says more. What clusters add has lines of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::tag::Tags;
    /// assert_eq!(Tags::default().digest(), Tags::default().digest());
    /// ```
    pub fn digest(&self) -> sha256::Hash {
        let on = |(script, tags): (&ScriptBuf, &Vec<Tag>)| -> Vec<String> {
            let script = script.to_hex_string();
            let lines = tags.iter().enumerate().map(|(at, tag)| line(&script, at, tag));
            lines.collect()
        };
        let mut lines: Vec<String> = self.by_script.iter().flat_map(on).collect();
        for tags in &self.spread.clusters {
            lines.extend(tags.iter().enumerate().map(|(at, tag)| line("cluster", at, tag)));
        }
        lines.sort_unstable();
        sha256::Hash::hash(lines.concat().as_bytes())
    }

    /// The tagged addresses that a view shows, in chain order, each with those of its tags that were not retracted.
    pub(crate) fn addresses(&self, view: View<'_>) -> Vec<(AddressIndex, Vec<&Tag>)> {
        let seen = view.addresses_seen();
        let found = |(script, tags): (&ScriptBuf, _)| {
            let tags: &Vec<Tag> = tags;
            let tags: Vec<&Tag> = tags.iter().filter(|tag| tag.retracted.is_none()).collect();
            let address = view.address_index(script).filter(|address| address.at() < seen && !tags.is_empty())?;
            Some((address, tags))
        };
        let mut found: Vec<_> = self.by_script.iter().filter_map(found).collect();
        found.sort_unstable_by_key(|(address, _)| *address);
        found
    }

    /// The same tags with what clusters add: for each cluster its tags, and the clusters' addresses, ascending.
    pub(crate) fn spread_over(&self, clusters: Vec<Vec<Tag>>, addresses: Vec<(AddressIndex, u32)>) -> Self {
        debug_assert!(addresses.is_sorted_by(|a, b| a.0 < b.0));
        Self { by_script: self.by_script.clone(), spread: Spread { clusters, addresses } }
    }

    fn inferred(&self, address: Option<AddressIndex>) -> &[Tag] {
        let Spread { clusters, addresses } = &self.spread;
        let place = address.and_then(|address| addresses.binary_search_by_key(&address, |(of, _)| *of).ok());
        place.map_or(&[], |place| clusters[crate::id::at(addresses[place].1)].as_slice())
    }

    fn of_script(&self, script: &Script) -> &[Tag] {
        if self.by_script.is_empty() {
            return &[];
        }
        let canonical = crate::chain::canonical(script);
        let key = canonical.as_deref().unwrap_or(script);
        self.by_script.get(key).map_or(&[], Vec::as_slice)
    }
}

fn line(script: &str, at: usize, tag: &Tag) -> String {
    let Tag { label, category, source, .. } = tag;
    let place = if at == 0 { String::new() } else { format!(" {at}") };
    let more = if *tag == Tag::new(label, category, source) {
        String::new()
    } else {
        format!(" {}", serde_json::to_string(tag).expect("a tag is plain data"))
    };
    format!("{script}{place} {label:?} {category:?} {source:?}{more}\n")
}

/// The address that a script pays, or the script in hex.
fn place(script: &Script, network: Network) -> String {
    Address::from_script(script, network).map_or_else(|_| script.to_hex_string(), |address| address.to_string())
}
