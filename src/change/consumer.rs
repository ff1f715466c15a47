//! Consumer wallets: an output that a transaction of three or more outputs spends is no change.
//!
//! Returns the others; applies to payments of exactly two outputs that can be spent, as consumers' wallets make. Unspent outputs stay. Source: Nick, "Data-Driven De-Anonymization in Bitcoin"
//! (2015), section 3.3. The same idea by count of outputs is the rule with the worst rate in the published evaluation: TPR 0.283, FPR 0.129 (reference 2). Looks ahead, to the
//! spenders that the view sees.

use super::{Hindsight, those};
use crate::chain::{OutputSet, Tx};

/// What a consumer's wallet makes.
const OUTPUTS: usize = 2;

/// An output that no transaction of three or more outputs spends.
///
/// # Fooled by
///
/// A consumer who later pays two people at once, as newer wallets can.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::Consumer;
/// let chain = sketch(&[
///     ("t", &[("coin", 900, "alice")], &[(500, "bob"), (399, "alice2")]),
///     ("u", &[("t:1", 399, "alice2")], &[(100, "carol"), (100, "dave"), (198, "alice3")]),
/// ]);
/// assert_eq!(vouts_later(&chain, "t", &Consumer), Some(vec![0]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Consumer;

impl Hindsight for Consumer {
    fn name(&self) -> &'static str {
        "consumer"
    }

    fn candidates(&self, tx: Tx<'_>) -> Option<OutputSet> {
        let all = those(tx, |output| output.spender().is_none_or(|spender| spender.outputs().len() <= OUTPUTS))?;
        (tx.outputs().filter(|output| !output.is_unspendable()).count() == OUTPUTS).then_some(all)
    }
}
