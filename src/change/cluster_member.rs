//! Cluster member: an output whose address already is with the inputs' is change.
//!
//! Returns the outputs whose address the caller's clusters put with the first input's; applies where there is one. The clusters should be without change rules, or the rule confirms itself. Source: Moeser and Narayanan, who make their ground truth of it;
//! GraphSense gives it confidence 50 of 100 and takes the cluster of any input; here it is the first input's, which is the same only where clusters have spending in them and nothing was left out. No published rate, as it is the truth there. Looks as far ahead as the clusters do: as of a height, hand it clusters as of that height.

use std::fmt;

use super::{Hindsight, those};
use crate::chain::{OutputSet, Tx};
use crate::id::AddressIndex;

/// An output whose address is in the inputs' cluster.
///
/// # Fooled by
///
/// A customer of the exchange at which the payee is a customer too: deposit addresses are of one cluster.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::ClusterMember;
/// let chain = sketch(&[("t", &[("coin", 900, "the exchange")], &[(500, "a deposit address of it"), (399, "its change")])]);
/// let view = chain.view();
/// let deposit = view.outputs_to(&pay(0, "a deposit address of it").script_pubkey).only().unwrap();
/// let deposit = view.output(deposit).address_index();
/// // Clusters that know the deposit address and not yet the change.
/// let rule = ClusterMember::new(|address| if Some(address) == deposit { 0 } else { address.to_u32() });
/// assert_eq!(vouts_later(&chain, "t", &rule), Some(vec![0]));
/// ```
#[derive(Clone, Copy)]
pub struct ClusterMember<F> {
    cluster: F,
}

impl<F: Fn(AddressIndex) -> u32 + Sync> ClusterMember<F> {
    /// Makes the rule with the number of each address's cluster.
    pub fn new(cluster: F) -> Self {
        Self { cluster }
    }
}

impl<F> fmt::Debug for ClusterMember<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterMember").finish_non_exhaustive()
    }
}

impl<F: Fn(AddressIndex) -> u32 + Sync> Hindsight for ClusterMember<F> {
    fn name(&self) -> &'static str {
        "cluster_member"
    }

    fn candidates(&self, tx: Tx<'_>) -> Option<OutputSet> {
        let own = (self.cluster)(tx.inputs().find_map(|input| input.address_index())?);
        let found = those(tx, |output| output.address_index().is_some_and(|address| (self.cluster)(address) == own))?;
        (!found.is_empty()).then_some(found)
    }
}
