//! What a detector says of a transaction.

use std::fmt;

use bitcoin::{Amount, Txid};
use serde::{Serialize, Serializer};

/// What kind of transaction it is said to be, or of address.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::Kind;
/// assert_eq!("coinjoin".parse::<Kind>().unwrap(), Kind::Coinjoin);
/// assert_eq!(Kind::FanOut.as_str(), "fan_out");
/// assert!("coin".parse::<Kind>().unwrap_err().is_spec());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// Several owners make one transaction so that nobody can tell whose outputs are whose.
    Coinjoin,
    /// One owner cuts coins to the size of a mix.
    Premix,
    /// A payment to a protocol that pays on another chain, or such a protocol's own payment.
    Swap,
    /// Payer and payee both bring inputs, perhaps.
    Payjoin,
    /// One payer pays many.
    Batch,
    /// Many coins become one or two.
    Consolidation,
    /// One coin becomes many of nearly one round size.
    FanOut,
    /// A coin of worth moves after years.
    Dormant,
    /// Outputs of next to nothing, to people who did not ask.
    Dust,
    /// Several payments a little below a round amount.
    Structuring,
    /// The first of a chain of transactions that each cut a piece off one coin; several transactions' matter, so of
    /// [`service::peel`](crate::service::peel).
    Peel,
    /// What a mixer that holds its customers' coins does; of [`service::custodial_mixer`](crate::service::custodial_mixer) and
    /// [`service::chips`](crate::service::chips).
    CustodialMixer,
    /// Of an address, not a transaction: whose every coin goes to one service. See [`service::deposit`](crate::service::deposit).
    Deposit,
    /// Of an address: what a service pays from and collects to. See [`service::hot_wallet`](crate::service::hot_wallet).
    HotWallet,
    /// Of an address: what a service puts aside. See [`service::hot_wallet::cold`](crate::service::hot_wallet::cold).
    ColdWallet,
    /// Of an address: whom coinbases pay. See [`service::pool`](crate::service::pool).
    Pool,
    /// Of an address: where one-shot forwarders pay to. See [`service::processor`](crate::service::processor).
    Processor,
}

impl Kind {
    /// Every one, in the order of their declaration.
    pub const ALL: [Self; 17] = [
        Self::Coinjoin,
        Self::Premix,
        Self::Swap,
        Self::Payjoin,
        Self::Batch,
        Self::Consolidation,
        Self::FanOut,
        Self::Dormant,
        Self::Dust,
        Self::Structuring,
        Self::Peel,
        Self::CustodialMixer,
        Self::Deposit,
        Self::HotWallet,
        Self::ColdWallet,
        Self::Pool,
        Self::Processor,
    ];

    /// Returns the name, in snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Coinjoin => "coinjoin",
            Self::Premix => "premix",
            Self::Swap => "swap",
            Self::Payjoin => "payjoin",
            Self::Batch => "batch",
            Self::Consolidation => "consolidation",
            Self::FanOut => "fan_out",
            Self::Dormant => "dormant",
            Self::Dust => "dust",
            Self::Structuring => "structuring",
            Self::Peel => "peel",
            Self::CustodialMixer => "custodial_mixer",
            Self::Deposit => "deposit",
            Self::HotWallet => "hot_wallet",
            Self::ColdWallet => "cold_wallet",
            Self::Pool => "pool",
            Self::Processor => "processor",
        }
    }

    /// Says what would show that a finding of this kind is wrong.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::detect::Kind;
    /// assert!(Kind::Deposit.defeat().contains("record"));
    /// assert!(Kind::ALL.iter().all(|kind| !kind.defeat().is_empty()));
    /// ```
    pub fn defeat(self) -> &'static str {
        match self {
            Self::Coinjoin => {
                "one owner who shows that all inputs are theirs: a batch of equal payments has the same form"
            }
            Self::Premix => "no mix that spends the pieces, or a payer who shows that they are payments to others",
            Self::Swap => "the protocol's own record without this swap: anybody can write such a text",
            Self::Payjoin => "a wallet that spends coins without need, as most that do so are",
            Self::Batch => "outputs that turn out to be the payer's own",
            Self::Consolidation => "inputs of several owners: a mix, a payjoin, or an owner who sweeps for others",
            Self::FanOut => "payees who show that they are strangers: wages of a round amount have the same form",
            Self::Dormant => {
                "a change of hands off the chain in the meantime: the coin moved now, its owner need not have slept"
            }
            Self::Dust => "a payee who asked for it: small payments and markers of other protocols look alike",
            Self::Structuring => "prices or fees that come to such amounts by themselves",
            Self::Peel => {
                "a service that shows them as its withdrawals: payment after payment from one coin has the same form"
            }
            Self::CustodialMixer => "a payer or payee who shows another business: the form is that of many services",
            Self::Deposit => {
                "the service's own record that the address is none of its customers', or one owner of all that was swept together"
            }
            Self::HotWallet => "the service's own record, or the tag that it rests on being wrong",
            Self::ColdWallet => "the service's own record, or a customer who shows that it is theirs",
            Self::Pool => "a miner who shows that it is alone: many blocks of one miner have the same form",
            Self::Processor => "one owner of all that forwards there",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Kind {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            crate::error::SpecError::Unknown { what: "kind of finding", given: text.to_owned(), known }.into()
        })
    }
}

/// Whether a rule holds of a transaction.
///
/// # Examples
///
/// ```
/// assert_eq!(fundtrace::detect::Verdict::Undecided.as_str(), "undecided");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// It holds.
    Yes,
    /// It looked as if it did and does not: a veto.
    No,
    /// What is known of the transaction, or the budget, does not suffice.
    Undecided,
}

impl Verdict {
    /// Returns the name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Undecided => "undecided",
        }
    }
}

/// How sure a rule is of what it says, in parts of a million: a grade of the rule's author, no measured probability.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::Confidence;
/// assert_eq!(Confidence::from_percent(90).to_ppm(), 900_000);
/// assert!(Confidence::from_ppm(2_000_000) == Confidence::from_percent(100));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Confidence(u32);

impl Confidence {
    /// Makes a confidence from parts of a million; more than a million counts as a million.
    pub const fn from_ppm(ppm: u32) -> Self {
        Self(if ppm > 1_000_000 { 1_000_000 } else { ppm })
    }

    /// Makes a confidence from per cent; more than a hundred counts as a hundred.
    pub const fn from_percent(percent: u32) -> Self {
        Self(if percent > 100 { 1_000_000 } else { percent * 10_000 })
    }

    /// Returns the parts of a million.
    pub const fn to_ppm(self) -> u32 {
        self.0
    }
}

/// One thing that a rule looked at.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::Feature;
/// assert_eq!(serde_json::to_string(&Feature::Count(5))?, "5");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Feature {
    /// A number of things, a height, or a share in parts of a million where the name ends in `_ppm`.
    Count(u64),
    /// Whether something is so.
    Flag(bool),
    /// Money; the name ends in `_sat`.
    Value(Amount),
    /// Several amounts of money; the name ends in `_sat`.
    Values(Vec<Amount>),
    /// A whole number that 64 bits may not hold, such as another chain's amounts. Written as a string of digits.
    Large(u128),
    /// A word or a text that was found.
    Text(String),
    /// Transactions.
    Txs(Vec<Txid>),
}

impl Serialize for Feature {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => to.serialize_u64(*count),
            Self::Flag(flag) => to.serialize_bool(*flag),
            Self::Value(value) => to.serialize_u64(value.to_sat()),
            Self::Values(values) => to.collect_seq(values.iter().map(|value| value.to_sat())),
            Self::Large(number) => to.collect_str(number),
            Self::Text(text) => to.serialize_str(text),
            Self::Txs(txids) => to.collect_seq(txids),
        }
    }
}

impl From<u32> for Feature {
    fn from(count: u32) -> Self {
        Self::Count(count.into())
    }
}

impl From<usize> for Feature {
    fn from(count: usize) -> Self {
        Self::Count(crate::id::number(count))
    }
}

impl From<bool> for Feature {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<&str> for Feature {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// What a rule looked at, by name.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, Feature};
/// let chain = detect::sketch(&[20_000; 15], &[295_000])?;
/// let finding = detect::consolidation::find(chain.view().txs().next().unwrap()).unwrap();
/// assert_eq!(finding.features["inputs"], Feature::Count(15));
/// assert!(finding.features.get("outputs_min").is_none());
/// let names: Vec<&str> = finding.features.iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["input_addresses", "inputs", "inputs_min", "outputs"]);
/// # Ok::<(), fundtrace::Error>(())
/// ```
// A scan makes them by the hundred thousand and reads few: a short sorted list takes a third of a map's room and time.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Features(Vec<(&'static str, Feature)>);

impl Features {
    /// Returns one by its name.
    pub fn get(&self, name: &str) -> Option<&Feature> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, feature)| feature)
    }

    /// True when there is one of this name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Returns all in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, &Feature)> {
        self.0.iter().map(|(name, feature)| (*name, feature))
    }

    /// Puts one in its place, and in place of one of the same name.
    pub(crate) fn insert(&mut self, name: &'static str, feature: impl Into<Feature>) {
        // The rules that find most name theirs in order.
        if self.0.last().is_none_or(|(last, _)| *last < name) {
            return self.0.push((name, feature.into()));
        }
        match self.0.binary_search_by_key(&name, |(known, _)| known) {
            Ok(at) => self.0[at].1 = feature.into(),
            Err(at) => self.0.insert(at, (name, feature.into())),
        }
    }

    pub(crate) fn extend(&mut self, more: impl IntoIterator<Item = (&'static str, Feature)>) {
        more.into_iter().for_each(|(name, feature)| self.insert(name, feature));
    }
}

impl std::ops::Index<&str> for Features {
    type Output = Feature;

    /// # Panics
    ///
    /// When there is none of this name.
    fn index(&self, name: &str) -> &Feature {
        self.get(name).unwrap_or_else(|| panic!("the finding has no feature {name:?}"))
    }
}

impl Serialize for Features {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.iter())
    }
}

/// What a rule says of one transaction, or of an address: an inference, never a fact of the chain.
///
/// It rests on that transaction alone, unless its feature `rests_on` names others. What is said of an address always does: `rests_on_count` says how
/// many they are, and `rests_on` names the first hundred.
///
/// # Examples
///
/// See [`detect`](crate::detect).
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What kind of transaction it is said to be.
    pub kind: Kind,
    /// The protocol, where the kind has several: `whirlpool`, `thorchain` and so on; otherwise the kind's name.
    pub protocol: &'static str,
    /// The rule and its version.
    pub rule: &'static str,
    /// Whether the rule holds.
    pub verdict: Verdict,
    /// How sure the rule is when it says yes or no; of an undecided one, how sure it would be.
    pub confidence: Confidence,
    /// What it looked at, and against which thresholds, by name.
    pub features: Features,
}

impl Finding {
    pub(crate) fn new(kind: Kind, protocol: &'static str, rule: &'static str, confidence: Confidence) -> Self {
        Self { kind, protocol, rule, verdict: Verdict::Yes, confidence, features: Features::default() }
    }

    /// Makes room for so many features and no more: of findings by the hundred thousand it is most of what they take.
    pub(crate) fn room(mut self, features: usize) -> Self {
        self.features.0.reserve_exact(features);
        self
    }

    pub(crate) fn verdict(mut self, verdict: Verdict) -> Self {
        self.verdict = verdict;
        self
    }

    pub(crate) fn feature(mut self, name: &'static str, feature: impl Into<Feature>) -> Self {
        self.features.insert(name, feature);
        self
    }

    pub(crate) fn sat(self, name: &'static str, sat: u64) -> Self {
        self.feature(name, Feature::Value(Amount::from_sat(sat)))
    }

    pub(crate) fn participants(self, participants: usize) -> Self {
        self.feature("participants", participants)
    }

    pub(crate) fn denominations(self, sat: impl IntoIterator<Item = u64>) -> Self {
        let values = sat.into_iter().map(Amount::from_sat).collect();
        self.feature("denominations_sat", Feature::Values(values))
    }

    /// Names the rule and how sure it is, in words: for a report's lines.
    ///
    /// # Examples
    ///
    /// ```
    /// let chain = fundtrace::detect::sketch(&[100_000, 100_000, 100_000, 100_000, 101_000], &[100_000; 5])?;
    /// let finding = chain.view().txs().find_map(fundtrace::detect::coinjoin::classify).unwrap();
    /// assert_eq!(finding.graded(), "whirlpool/1, confidence 95 %");
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn graded(&self) -> String {
        let percent = self.confidence.to_ppm() / 10_000;
        match self.verdict {
            Verdict::Yes => format!("{}, confidence {percent} %", self.rule),
            Verdict::No => format!("{}, which says that it is none", self.rule),
            Verdict::Undecided => format!("{}, undecided", self.rule),
        }
    }

    /// True when the rule holds.
    pub fn is_yes(&self) -> bool {
        self.verdict == Verdict::Yes
    }

    /// Returns how many take part, where the rule estimates it.
    pub fn participants_estimated(&self) -> Option<u64> {
        match self.features.get("participants") {
            Some(Feature::Count(count)) => Some(*count),
            _ => None,
        }
    }

    /// Returns the amounts that the outputs share, where the rule finds any; ascending.
    pub fn denominations_found(&self) -> &[Amount] {
        match self.features.get("denominations_sat") {
            Some(Feature::Values(values)) => values,
            _ => &[],
        }
    }
}
