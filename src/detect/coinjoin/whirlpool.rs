//! Whirlpool's mixes: as many equal outputs as inputs, of a pool's size.
//!
//! 1. Every output is worth the pool's amount; the miners' fee is brought by the new entrants, who put in a little more. Those who mix
//!    again put in the pool's amount itself.
//! 2. Stockinger, Haslhofer, Moreno-Sanchez and Maffei, Pinpointing and Measuring Wasabi and Samourai CoinJoins in the Bitcoin
//!    Ecosystem, arXiv 2109.10229, section 4 (five by five); up to ten by ten since surge cycles (Dumplings' scanner).
//! 3. [`lineage`](super::lineage) asks in a second sweep whether every input comes from where it should.

use super::era::{self, Block};
use crate::chain::Tx;
use crate::detect::shape::Shape;
use crate::detect::{Confidence, Finding, Kind, Verdict};

/// The rule's name and version.
pub const RULE: &str = "whirlpool/1";

/// What a pool's outputs are worth, what entering it costs, and from which block on it exists.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) sat: u64,
    /// The flat fee of a Tx0; `None` where it is not known.
    pub(super) entry_sat: Option<u64>,
    since: Block,
}

const FIRST: Block = Block { height: 570_000, time: 1_554_300_000 };
/// The revival by another coordinator opened pools of its own.
const REVIVAL: Block = Block { height: 890_000, time: 1_743_200_000 };

pub(super) const POOLS: [Pool; 6] = [
    Pool { sat: 100_000, entry_sat: Some(5_000), since: FIRST },
    Pool { sat: 1_000_000, entry_sat: Some(50_000), since: FIRST },
    Pool { sat: 2_500_000, entry_sat: None, since: REVIVAL },
    Pool { sat: 5_000_000, entry_sat: Some(175_000), since: FIRST },
    Pool { sat: 25_000_000, entry_sat: None, since: REVIVAL },
    Pool { sat: 50_000_000, entry_sat: Some(1_750_000), since: FIRST },
];

/// A new entrant brings at least so much more than the pool's amount, and at most so much (Dumplings' scanner: 0.0011 BTC).
pub(super) const EXCESS_SAT: std::ops::RangeInclusive<u64> = 100..=110_000;
const SEATS: std::ops::RangeInclusive<usize> = 5..=10;

/// The pools that exist when a transaction is made.
pub(super) fn pools(tx: Tx<'_>) -> impl Iterator<Item = &'static Pool> {
    POOLS.iter().filter(move |pool| era::is_within(tx, pool.since, None))
}

/// Says whether a transaction is a mix of a Whirlpool. O(n log n).
///
/// Undecided where the outputs are those of a mix and an input's value is unknown.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, coinjoin::whirlpool};
/// let pool = 1_000_000;
/// let chain = detect::sketch(&[pool, pool, pool + 9_500, pool + 10_100, pool + 100], &[pool; 5])?;
/// let finding = chain.view().txs().find_map(whirlpool::find).unwrap();
/// assert!(finding.is_yes());
/// assert_eq!(finding.participants_estimated(), Some(5));
/// assert_eq!(serde_json::to_value(&finding.features["entrants"]).unwrap(), 3);
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// One owner who spends five coins of the right size to five new addresses. Whoever takes part alone in a round made by hand looks
/// the same; only where the coins come from tells.
///
/// ```
/// use fundtrace::detect::{self, coinjoin::whirlpool};
/// let mine = [100_000, 100_000, 100_000, 100_000, 101_000];
/// let chain = detect::sketch(&mine, &[100_000; 5])?;
/// assert!(chain.view().txs().find_map(whirlpool::find).unwrap().is_yes());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn find(tx: Tx<'_>) -> Option<Finding> {
    of(tx, &Shape::of(tx))
}

pub(super) fn of(tx: Tx<'_>, shape: &Shape<'_>) -> Option<Finding> {
    let seats = shape.outputs.len();
    if !SEATS.contains(&seats) || shape.inputs_len != seats || shape.data_outputs > 0 {
        return None;
    }
    let sat = shape.sorted[0];
    if shape.sorted[seats - 1] != sat || !pools(tx).any(|pool| pool.sat == sat) || !shape.outputs_distinct() {
        return None;
    }
    let finding = |percent| {
        Finding::new(Kind::Coinjoin, "whirlpool", RULE, Confidence::from_percent(percent))
            .participants(seats)
            .denominations([sat])
            .sat("excess_allowed_sat", *EXCESS_SAT.end())
    };
    let Some(inputs) = shape.inputs() else {
        return Some(finding(95).verdict(Verdict::Undecided).feature("inputs_known", false));
    };
    let excess: Vec<u64> = inputs.iter().map_while(|input| input.checked_sub(sat)).collect();
    let fits = excess.len() == seats && excess.iter().all(|more| *more == 0 || EXCESS_SAT.contains(more));
    let entrants = excess.iter().filter(|more| **more > 0).count();
    if !fits || entrants == 0 || shape.input_scripts().is_some_and(|scripts| scripts < seats) {
        return None;
    }
    // Only a pool's first mixes have nobody who mixes again.
    let percent = if entrants < seats { 95 } else { 60 };
    let most = excess.into_iter().max().unwrap_or(0);
    Some(finding(percent).feature("entrants", entrants).sat("excess_max_sat", most))
}
