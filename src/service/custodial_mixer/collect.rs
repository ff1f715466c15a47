//! Transactions that collect deposits: of many payers, or just under a round amount.

use std::collections::BTreeSet;

use crate::chain::{Input, Tx, View};
use crate::detect::{Confidence, Feature, Finding, Kind, Verdict, structuring};
use crate::id::{BlockHeight, TxIndex};

/// The rule for pay-ins of many.
pub const PAY_IN: &str = "pay_in/2";
/// The rule for a feed in pieces.
pub const FEED: &str = "feed/2";

/// Deposits that are collected at least (ours).
const DEPOSITS_MIN: usize = 5;
/// The first deposit is at most so many blocks older than the last (ours): three days.
const WINDOW_BLOCKS: u32 = 432;
/// Pieces of a feed at least, as in [`structuring`].
const PIECES_MIN: usize = 3;

/// Says whether a transaction collects what many paid in: five inputs or more, each of an address of its own that was new when it was paid, each paid
/// by another transaction, all within 432 blocks, into one output or two. O(n log n).
///
/// The confidence is 10 %: exchanges and payment processors collect in the same way, and far more often.
///
/// # Examples
///
/// ```
#[doc = include_str!("../../change/sketch.txt")]
/// use fundtrace::service::custodial_mixer;
/// let coin: &[(&str, u64, &str)] = &[("coin", 1_100, "somebody")];
/// let chain = sketch(&[
///     ("a", coin, &[(1_000, "d0")]),
///     ("b", coin, &[(1_000, "d1")]),
///     ("c", coin, &[(1_000, "d2")]),
///     ("d", coin, &[(1_000, "d3")]),
///     ("e", coin, &[(1_000, "d4")]),
///     ("s", &[("a:0", 1_000, "d0"), ("b:0", 1_000, "d1"), ("c:0", 1_000, "d2"), ("d:0", 1_000, "d3"), ("e:0", 1_000, "d4")], &[(4_900, "pot")]),
/// ]);
/// assert!(custodial_mixer::pay_in(chain.view().tx_at(&txid("s")).unwrap()).is_some());
/// ```
///
/// # Fooled by
///
/// Somebody who is paid five times, gives a new address each time, and joins the coins.
///
/// ```
#[doc = include_str!("../../change/sketch.txt")]
/// use fundtrace::service::custodial_mixer;
/// let salary: &[(&str, u64, &str)] = &[("coin", 1_100, "employer")];
/// let chain = sketch(&[
///     ("a", salary, &[(1_000, "w0")]),
///     ("b", salary, &[(1_000, "w1")]),
///     ("c", salary, &[(1_000, "w2")]),
///     ("d", salary, &[(1_000, "w3")]),
///     ("e", salary, &[(1_000, "w4")]),
///     ("s", &[("a:0", 1_000, "w0"), ("b:0", 1_000, "w1"), ("c:0", 1_000, "w2"), ("d:0", 1_000, "w3"), ("e:0", 1_000, "w4")], &[(4_900, "savings")]),
/// ]);
/// assert!(custodial_mixer::pay_in(chain.view().tx_at(&txid("s")).unwrap()).is_some());
/// ```
pub fn pay_in(tx: Tx<'_>) -> Option<Finding> {
    let inputs = tx.inputs().len();
    if inputs < DEPOSITS_MIN || tx.outputs().len() > 2 {
        return None;
    }
    let mut payers = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    let mut heights: Option<(BlockHeight, BlockHeight)> = None;
    for output in tx.inputs().map(Input::prevout) {
        let output = output.filter(|output| output.is_of_new_address() == Some(true))?;
        let height = output.tx().height()?;
        heights = Some(heights.map_or((height, height), |(low, high)| (low.min(height), high.max(height))));
        payers.insert(output.tx().index());
        addresses.insert(output.address_index()?);
    }
    let (low, high) = heights?;
    let blocks = high.to_u32() - low.to_u32();
    (payers.len() == inputs && addresses.len() == inputs && blocks <= WINDOW_BLOCKS).then(|| {
        Finding::new(Kind::CustodialMixer, "pay_in", PAY_IN, Confidence::from_percent(10))
            .verdict(Verdict::Undecided)
            .feature("deposits", inputs)
            .feature("deposits_min", DEPOSITS_MIN)
            .feature("blocks", blocks)
            .feature("window_blocks", WINDOW_BLOCKS)
            .feature("rests_on", rests_on(tx, payers))
    })
}

/// Says whether a transaction spends pieces that came just under one round amount, at least three of them and each from another transaction: what
/// [`structuring`] finds in one transaction, spread over several. O(n log n).
///
/// The confidence is 25 %.
///
/// # Examples
///
/// ```
#[doc = include_str!("../../change/sketch.txt")]
/// use fundtrace::service::custodial_mixer;
/// let chain = sketch(&[
///     ("a", &[("coin", 100_000_000, "x")], &[(99_000_000, "in1")]),
///     ("b", &[("coin", 100_000_000, "x")], &[(98_500_000, "in2")]),
///     ("c", &[("coin", 100_000_000, "x")], &[(99_900_000, "in3")]),
///     ("d", &[("a:0", 99_000_000, "in1"), ("b:0", 98_500_000, "in2"), ("c:0", 99_900_000, "in3")], &[(297_000_000, "pot")]),
/// ]);
/// assert!(custodial_mixer::feed(chain.view().tx_at(&txid("d")).unwrap()).is_some());
/// ```
///
/// # Fooled by
///
/// Three withdrawals of one bitcoin each, from which an exchange took its fee.
///
/// ```
#[doc = include_str!("../../change/sketch.txt")]
/// use fundtrace::service::custodial_mixer;
/// let chain = sketch(&[
///     ("a", &[("coin", 900_000_000, "exchange")], &[(99_950_000, "w1"), (800_000_000, "e1")]),
///     ("b", &[("a:1", 800_000_000, "e1")], &[(99_950_000, "w2"), (700_000_000, "e2")]),
///     ("c", &[("b:1", 700_000_000, "e2")], &[(99_950_000, "w3"), (600_000_000, "e3")]),
///     ("d", &[("a:0", 99_950_000, "w1"), ("b:0", 99_950_000, "w2"), ("c:0", 99_950_000, "w3")], &[(299_000_000, "saver")]),
/// ]);
/// assert!(custodial_mixer::feed(chain.view().tx_at(&txid("d")).unwrap()).is_some());
/// ```
pub fn feed(tx: Tx<'_>) -> Option<Finding> {
    if tx.inputs().len() < PIECES_MIN {
        return None;
    }
    let piece =
        |input: Input<'_>| Some((structuring::next_round(input.value()?.to_sat())?, input.prevout()?.tx().index()));
    let mut pieces: Vec<(u64, TxIndex)> = tx.inputs().filter_map(piece).collect();
    pieces.sort_unstable();
    pieces.dedup();
    let longest = pieces.chunk_by(|a, b| a.0 == b.0).max_by_key(|run| (run.len(), run[0].0))?;
    (longest.len() >= PIECES_MIN).then(|| {
        Finding::new(Kind::CustodialMixer, "feed", FEED, Confidence::from_percent(25))
            .verdict(Verdict::Undecided)
            .sat("round_sat", longest[0].0)
            .feature("pieces", longest.len())
            .feature("pieces_min", PIECES_MIN)
            .feature("inputs", tx.inputs().len())
            .feature("rests_on", rests_on(tx, longest.iter().map(|piece| piece.1)))
    })
}

fn rests_on(tx: Tx<'_>, txs: impl IntoIterator<Item = TxIndex>) -> Feature {
    Feature::Txs(txs.into_iter().map(|index| tx.view().tx(index).txid()).collect())
}

/// Asks both rules about every transaction of a view, on the caller's rayon pool; findings in chain order.
///
/// # Examples
///
/// ```
/// let chain = fundtrace::detect::sketch(&[5_000], &[4_000])?;
/// assert!(fundtrace::service::custodial_mixer::scan(chain.view()).is_empty());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn scan(view: View<'_>) -> Vec<(TxIndex, Finding)> {
    view.gather(|tx, found| found.extend([pay_in(tx), feed(tx)].into_iter().flatten().map(|said| (tx.index(), said))))
}
