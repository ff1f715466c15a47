//! What is called stolen.

use std::collections::HashMap;

use crate::chain::{Output, View};
use crate::cluster::Clusters;
use crate::id::{ClusterIndex, OutputIndex, SourceIndex};

/// An output that is stolen whole, under a label. Seeds with one label are one source.
///
/// # Examples
///
/// ```
/// use fundtrace::{OutputIndex, trace::Seed};
/// let seed = Seed::new(OutputIndex::from_u64(3), "theft");
/// assert_eq!(seed.label, "theft");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Seed {
    /// The output.
    pub output: OutputIndex,
    /// The name of its source.
    pub label: String,
}

impl Seed {
    /// Names an output as stolen.
    pub fn new(output: OutputIndex, label: impl Into<String>) -> Self {
        Self { output, label: label.into() }
    }

    /// Names what a cluster received, to ask what became of it or where it came from: the visible outputs that pay its addresses, in chain order,
    /// without those of transactions of which every input is the cluster's own. Its own change is no receipt; a payment that others
    /// helped to make counts whole. O(outputs of the cluster, each with its transaction's inputs).
    ///
    /// # Panics
    ///
    /// When the cluster is not one of these, or they are of another chain.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
    /// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
    /// use fundtrace::{cluster, trace::Seed};
    /// let txid = |n| Txid::from_byte_array([n; 32]);
    /// let out = |sat, key: u8| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20])) };
    /// let mut builder = ChainBuilder::new();
    /// // Key 7 is paid 9, pays 4 and gets 5 back.
    /// builder.insert(NewTx::claimed(txid(2), vec![NewInput::new(OutPoint::new(txid(1), 0)).prevout(out(9, 1))], vec![out(9, 7)]))?;
    /// builder.insert(NewTx::claimed(txid(3), vec![NewInput::new(OutPoint::new(txid(2), 0))], vec![out(4, 8), out(5, 7)]))?;
    /// let chain = builder.finish()?;
    /// let clusters = cluster::by_spending(chain.view(), |_| false);
    /// let seven = chain.view().address_index(&out(0, 7).script_pubkey).and_then(|address| clusters.of(address)).unwrap();
    /// let seeds = Seed::received(chain.view(), &clusters, seven, "seven");
    /// assert_eq!(seeds.len(), 1);
    /// assert_eq!(chain.view().output(seeds[0].output).value(), Some(Amount::from_sat(9)));
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn received(view: View<'_>, clusters: &Clusters, cluster: ClusterIndex, label: &str) -> Vec<Self> {
        let members = clusters.members(cluster).iter();
        let mut outputs: Vec<OutputIndex> =
            members.flat_map(|address| view.outputs_of(*address).iter().collect::<Vec<_>>()).collect();
        outputs.sort_unstable();
        outputs.retain(|output| {
            let mut inputs = view.output(*output).tx().inputs().peekable();
            let own = |address| clusters.of(address) == Some(cluster);
            // A stub's inputs are not known, and what is not known to be the cluster's own came from outside.
            inputs.peek().is_none() || !inputs.all(|input| input.address_index().is_some_and(own))
        });
        outputs.into_iter().map(|output| Self::new(output, label)).collect()
    }
}

impl Output<'_> {
    /// Names this output as stolen, under a label.
    ///
    /// # Examples
    ///
    /// See [`trace::forward`](crate::trace::forward).
    pub fn seed(self, label: impl Into<String>) -> Seed {
        Seed::new(self.index(), label)
    }
}

/// The labels in the order in which they are first named, each once, and the number of each.
pub(super) fn numbered(labels: &[&str]) -> (Vec<String>, HashMap<String, SourceIndex>) {
    let mut sources: Vec<String> = Vec::new();
    let mut by_label = HashMap::new();
    for label in labels {
        by_label.entry((*label).to_owned()).or_insert_with(|| {
            sources.push((*label).to_owned());
            SourceIndex::of(sources.len() - 1)
        });
    }
    (sources, by_label)
}
