//! What a run was told about mixes, for its manifest.

use std::collections::BTreeSet;

use bitcoin::hashes::{Hash, HashEngine, sha256};
use serde::Serialize;

use super::{Mode, Through, consolidation, links, spread};
use crate::detect::coinjoin::{self, Rules, change, premix};

/// What a run was told about mixes: with the lists of the same hashes the run can be repeated.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{Confidence, coinjoin::Rules};
/// use fundtrace::trace::{Mixes, Mode, Through};
/// let given = Through::new(Mode::Spread, Mixes::new(Rules::default(), Confidence::from_percent(60))).given();
/// assert_eq!(given.confidence_min_ppm, 600_000);
/// assert!(["whirlpool/1", "mix_change/1", "mix_spread/1"].iter().all(|rule| given.rules.contains(rule)));
/// assert!(given.allow.is_none() && given.links.is_none());
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct MixesGiven {
    /// What happens at a mix.
    pub through: Mode,
    /// How sure a rule must be, in parts of a million.
    pub confidence_min_ppm: u32,
    /// The rules that were asked, with their versions: which transactions are mixes, in order, what mixes leave linked, and how their value is divided.
    pub rules: Vec<&'static str>,
    /// Steps of the search for a way to deal out inputs.
    pub budget: u32,
    /// Transactions that were said to be mixes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<ListGiven>,
    /// Transactions that were said to be none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub veto: Option<ListGiven>,
    /// Scripts of coordinators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coordinators: Option<ListGiven>,
    /// How links were counted, where mixes are weighed by them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<LinksGiven>,
}

/// A list that the caller gave.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Txid, hashes::Hash};
/// use fundtrace::detect::{Confidence, coinjoin::Rules};
/// use fundtrace::trace::{Mixes, Mode, Through};
/// let mut rules = Rules::default();
/// rules.veto.insert(Txid::all_zeros());
/// let given = Through::new(Mode::Stop, Mixes::new(rules, Confidence::from_percent(60))).given();
/// assert_eq!(given.veto.unwrap().entries, 1);
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct ListGiven {
    /// How many entries it has.
    pub entries: usize,
    /// The SHA-256 of the entries as text in ascending order, a line each (`sort | sha256sum`).
    pub sha256: String,
}

/// How the links of a mix were counted.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{Confidence, coinjoin::Rules};
/// use fundtrace::trace::{Mixes, Mode, Through};
/// let links = Through::new(Mode::Links, Mixes::new(Rules::default(), Confidence::from_percent(60))).given().links.unwrap();
/// assert_eq!((links.intra_fee_ppm, links.intra_fee_whirlpool_ppm), (5_000, 0));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct LinksGiven {
    /// What participants may pay each other, in parts of a million of the common amount.
    pub intra_fee_ppm: u32,
    /// The same in a Whirlpool.
    pub intra_fee_whirlpool_ppm: u32,
    /// The most inputs or outputs for an exact count.
    pub txos_max: usize,
    /// The most subsets.
    pub subsets_max: usize,
    /// The most steps.
    pub steps_max: u64,
}

impl ListGiven {
    fn of(lines: impl Iterator<Item = String>) -> Option<Self> {
        // Txids are ordered by their bytes, which are written last to first.
        let lines: BTreeSet<String> = lines.collect();
        let entries = lines.len();
        let mut hash = sha256::Hash::engine();
        for line in lines {
            hash.input(line.as_bytes());
            hash.input(b"\n");
        }
        (entries > 0).then(|| Self { entries, sha256: sha256::Hash::from_engine(hash).to_string() })
    }
}

impl Through {
    /// Says what the run is told about mixes.
    ///
    /// # Examples
    ///
    /// See [`MixesGiven`].
    pub fn given(&self) -> MixesGiven {
        let Rules { allow, veto, coordinators, budget, .. } = self.mixes.rules();
        let listed = (!allow.is_empty() || !veto.is_empty()).then_some(coinjoin::LISTED);
        // Where links are not exact a mix is spread.
        let divides: &[&str] = match self.mode {
            Mode::Stop | Mode::Flag => &[],
            Mode::Spread => &[spread::RULE],
            Mode::Links => &[links::RULE, spread::RULE],
        };
        let linked = [change::RULE, premix::RULE, consolidation::RULE];
        let rules = listed.into_iter().chain(coinjoin::RULES).chain(linked).chain(divides.iter().copied());
        let limits = self.limits;
        MixesGiven {
            through: self.mode,
            confidence_min_ppm: self.mixes.confidence_min().to_ppm(),
            rules: rules.collect(),
            budget: *budget,
            allow: ListGiven::of(allow.iter().map(ToString::to_string)),
            veto: ListGiven::of(veto.iter().map(ToString::to_string)),
            coordinators: ListGiven::of(coordinators.iter().map(|script| script.to_hex_string())),
            links: (self.mode == Mode::Links).then_some(LinksGiven {
                intra_fee_ppm: self.intra_fee_ppm,
                intra_fee_whirlpool_ppm: 0,
                txos_max: limits.txos_max,
                subsets_max: limits.subsets_max,
                steps_max: limits.steps_max,
            }),
        }
    }
}
