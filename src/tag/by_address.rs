//! The tags of many sources by address, side by side, and what clusters add.

use std::collections::HashMap;

use bitcoin::address::NetworkUnchecked;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::{Address, Network, Script, ScriptBuf};

use super::{Conflict, Date, Pack, Tag};
use crate::chain::{Output, View};
use crate::id::AddressIndex;

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
    /// clusters add and none of those says already.
    ///
    /// Tags that were [spread](crate::cluster::spread()) are of the chain that was clustered; outputs of another must not be asked about.
    pub fn holding(&self, output: Output<'_>) -> impl Iterator<Item = &Tag> {
        let (own, inferred) = (self.of(output), self.inferred_of(output));
        let day = day_of(output, own, inferred);
        let holds = move |tag: &&Tag| tag.holds_on(day);
        // What does not hold that day says nothing, and so says nothing twice.
        let is_new = move |tag: &&Tag| !own.iter().any(|own| own.holds_on(day) && own.says_as(tag));
        own.iter().filter(holds).chain(inferred.iter().filter(holds).filter(is_new))
    }

    /// Iterates the tags of an output that do not hold on the day of its block, or were taken back: those on its address, then what clusters
    /// add. They are there to be shown, and count for nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
    /// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
    /// use fundtrace::tag::{Tag, Tags};
    /// let out = |key: u8| TxOut { value: Amount::from_sat(9), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20])) };
    /// let txid = |n| Txid::from_byte_array([n; 32]);
    /// let mut builder = ChainBuilder::new();
    /// builder.insert(NewTx::claimed(txid(2), vec![NewInput::new(OutPoint::new(txid(1), 0)).prevout(out(1))], vec![out(7)]))?;
    /// let chain = builder.finish()?;
    /// let mut tags = Tags::default();
    /// tags.insert(out(7).script_pubkey, Tag::new("A", "exchange", "a list").retracted("2022-01-01".parse().unwrap()));
    /// let paid = chain.view().output_at(OutPoint::new(txid(2), 0)).unwrap();
    /// assert_eq!((tags.holding(paid).count(), tags.lapsed(paid).count()), (0, 1));
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn lapsed(&self, output: Output<'_>) -> impl Iterator<Item = &Tag> {
        let (own, inferred) = (self.of(output), self.inferred_of(output));
        let day = day_of(output, own, inferred);
        own.iter().chain(inferred).filter(move |tag| !tag.holds_on(day))
    }

    /// The tags on an address by its text, in the order they were added; none where it is no address.
    pub(crate) fn of_address(&self, address: &str) -> &[Tag] {
        let address = address.parse::<Address<NetworkUnchecked>>();
        // Of which network it is does not matter: it is a name that a chain of this network gave.
        address.map_or(&[], |address| self.of_script(&address.assume_checked().script_pubkey()))
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

    /// The tagged addresses that a view shows, in chain order, each with those of its tags that are ground for an inference: not retracted, and not
    /// inferred themselves.
    pub(crate) fn addresses(&self, view: View<'_>) -> Vec<(AddressIndex, Vec<&Tag>)> {
        let seen = view.addresses_seen();
        let found = |(script, tags): (&ScriptBuf, _)| {
            let tags: &Vec<Tag> = tags;
            let stands = |tag: &&Tag| tag.retracted.is_none() && tag.inferred.is_none();
            let tags: Vec<&Tag> = tags.iter().filter(stands).collect();
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

    fn inferred_of(&self, output: Output<'_>) -> &[Tag] {
        let Spread { clusters, addresses } = &self.spread;
        if addresses.is_empty() {
            return &[];
        }
        let place =
            output.address_index().and_then(|address| addresses.binary_search_by_key(&address, |(of, _)| *of).ok());
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

/// The day of an output's block. Most outputs have no tag, and then nobody need know.
fn day_of(output: Output<'_>, own: &[Tag], inferred: &[Tag]) -> Option<Date> {
    if own.is_empty() && inferred.is_empty() { None } else { output.tx().time().map(Date::of_unix) }
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
