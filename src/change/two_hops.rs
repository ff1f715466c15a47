//! Two hops: the output whose money comes back to the payer's cluster within two transactions is change.
//!
//! Returns the outputs that are in the inputs' cluster or lead there: some output of the spender, or of a spender of one of its outputs, pays an address of the caller's cluster of the first input. Applies to payments of two outputs that can be spent,
//! where both are spent. Source: Moeser and Narayanan's notebooks. Published: precision 0.953, recall 0.488 (reference 2), biased towards that ground truth, which is made of returns to the cluster. Looks ahead, two transactions as far as the
//! view sees, and as far as the clusters do.

use std::fmt;

use super::{Hindsight, those};
use crate::chain::{Output, OutputSet, Tx};
use crate::id::AddressIndex;

/// A spender of more outputs than this is no wallet's payment; it keeps the search small.
const OUTPUTS_MAX: usize = 100;

/// An output from which the payer's cluster is reached in two transactions.
///
/// # Fooled by
///
/// A payee who pays the payer back.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::TwoHops;
/// let chain = sketch(&[
///     ("t", &[("coin", 900, "alice")], &[(500, "bob"), (399, "alice2")]),
///     ("u", &[("t:0", 500, "bob")], &[(100, "alice"), (399, "bob2")]),
///     ("w", &[("t:1", 399, "alice2")], &[(398, "carol")]),
/// ]);
/// let single = |address: fundtrace::AddressIndex| address.to_u32();
/// assert_eq!(vouts_later(&chain, "t", &TwoHops::new(single)), Some(vec![0]));
/// ```
#[derive(Clone, Copy)]
pub struct TwoHops<F> {
    cluster: F,
}

impl<F: Fn(AddressIndex) -> u32 + Sync> TwoHops<F> {
    /// Makes the rule with the number of each address's cluster.
    pub fn new(cluster: F) -> Self {
        Self { cluster }
    }

    /// True when the output, or one that is made of it in `hops` transactions, is of the cluster.
    fn leads(&self, output: Output<'_>, own: u32, hops: u32) -> bool {
        if output.address_index().is_some_and(|address| (self.cluster)(address) == own) {
            return true;
        }
        let Some(spender) = output.spender().filter(|_| hops > 0) else { return false };
        spender.outputs().len() <= OUTPUTS_MAX && spender.outputs().any(|next| self.leads(next, own, hops - 1))
    }
}

impl<F> fmt::Debug for TwoHops<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwoHops").finish_non_exhaustive()
    }
}

impl<F: Fn(AddressIndex) -> u32 + Sync> Hindsight for TwoHops<F> {
    fn name(&self) -> &'static str {
        "two_hops"
    }

    fn candidates(&self, tx: Tx<'_>) -> Option<OutputSet> {
        let own = (self.cluster)(tx.inputs().find_map(|input| input.address_index())?);
        let spent = those(tx, |output| output.spender().is_some())?.len();
        let all = tx.outputs().filter(|output| !output.is_unspendable()).count();
        if (all, spent) != (2, 2) {
            return None;
        }
        those(tx, |output| self.leads(output, own, 2))
    }
}
