//! What a partial chain lacks for a trace to go on.

use std::collections::BTreeSet;
use std::fmt;

use bitcoin::{OutPoint, Txid};

use super::{Reason, Trace};

/// A transaction that was not supplied and that would let the trace go on.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::OutPoint;
/// use fundtrace::trace::Missing;
/// let missing = Missing::SpenderOf(OutPoint::null());
/// assert!(missing.to_string().starts_with("the spender of 0000"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Missing {
    /// This transaction: a spender that a source named, or a previous transaction whose output's value nobody told.
    Tx(Txid),
    /// Whatever spends this output, if anything does. Esplora's `/tx/:txid/outspend/:vout` answers it.
    SpenderOf(OutPoint),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tx(txid) => write!(f, "transaction {txid}"),
            Self::SpenderOf(outpoint) => write!(f, "the spender of {outpoint}"),
        }
    }
}

impl Trace<'_> {
    /// Names what the chain lacks: fetch it, insert it, freeze and trace again. Empty when every end is a real one.
    ///
    /// An end whose spender is in the chain but above the view's height lacks nothing.
    ///
    /// # Examples
    ///
    /// See `examples/embed.rs`, which fetches until nothing is missing.
    pub fn missing(&self) -> Vec<Missing> {
        let mut missing = BTreeSet::new();
        for end in &self.ends {
            let output = self.view.output(end.output);
            match end.reason {
                Reason::UnknownSpender => match output.named_spender() {
                    // Here but above the view's height.
                    Some(spender) if self.is_supplied(&spender) => {}
                    Some(spender) => {
                        missing.insert(Missing::Tx(spender));
                    }
                    None => {
                        missing.insert(Missing::SpenderOf(output.outpoint()));
                    }
                },
                Reason::UnknownPrevout => {
                    let inputs = output.spender().into_iter().flat_map(|tx| tx.inputs());
                    let unknown =
                        inputs.filter_map(|input| input.prevout()).filter(|prevout| prevout.value().is_none());
                    missing.extend(unknown.map(|prevout| Missing::Tx(prevout.tx().txid())));
                }
                _ => {}
            }
        }
        let unseeded = self.unseeded.iter().map(|output| self.view.output(*output).tx());
        missing.extend(unseeded.filter(|tx| tx.is_stub()).map(|tx| Missing::Tx(tx.txid())));
        missing.into_iter().collect()
    }

    /// A stub has a txid too, but nobody supplied it.
    fn is_supplied(&self, txid: &Txid) -> bool {
        let columns = self.view.columns();
        columns.find_txs(txid).any(|tx| !columns.is_stub(tx))
    }
}
