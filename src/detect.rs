//! What kind of transaction is this? Pure functions of one transaction, a file each.
//!
//! A detector takes a [`Tx`] and says [`Finding`] or nothing. A finding is an inference: it names its rule with the version, what the rule
//! looked at, a verdict (yes, no, undecided) and a confidence, which is a grade that the rule's author gave and no measured probability.
//! [`eval::Detection`](crate::eval::Detection) measures.
//!
//! - [`coinjoin`]: mixes, by protocol, and what prepares for them; whether a mix's ancestry is right.
//! - [`links`]: in how many ways the inputs of a mix can pay its outputs.
//! - [`memo`]: swaps to other chains, by what they write into `OP_RETURN` outputs.
//!
//! # Examples
//!
//! ```
//! use fundtrace::detect::{self, Kind};
//! let chain = detect::sketch(&[100_000, 100_000, 100_000, 100_000, 101_000], &[100_000; 5])?;
//! let finding = chain.view().txs().find_map(detect::coinjoin::classify).unwrap();
//! assert_eq!(finding.kind, Kind::Coinjoin);
//! assert_eq!(finding.rule, "whirlpool/1");
//! assert!(finding.is_yes());
//! # Ok::<(), fundtrace::Error>(())
//! ```

pub mod coinjoin;
mod finding;
pub mod links;
pub mod memo;
mod shape;

use bitcoin::hashes::Hash;
use bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, WPubkeyHash};

pub use finding::{Confidence, Feature, Finding, Kind, Verdict};

#[cfg(doc)]
use crate::chain::Tx;
use crate::chain::{Chain, ChainBuilder, NewInput, NewTx};
use crate::error::Error;
use crate::id;

/// Makes a chain of one claimed transaction with inputs and outputs of these satoshis, each with a P2WPKH address of its own: to see what
/// a detector says of a form.
///
/// # Errors
///
/// [`Error::is_chain`] when the outputs are worth more than the inputs.
///
/// # Examples
///
/// ```
/// let chain = fundtrace::detect::sketch(&[5_000], &[3_000, 1_500])?;
/// assert_eq!(chain.view().txs().next().unwrap().fee().unwrap().to_sat(), 500);
/// assert!(fundtrace::detect::sketch(&[5], &[6]).is_err());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn sketch(inputs: &[u64], outputs: &[u64]) -> Result<Chain, Error> {
    let out = |side: u8, at: usize, sat: &u64| {
        let mut hash = [side; 20];
        hash[..8].copy_from_slice(&id::number(at).to_le_bytes());
        let script_pubkey = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array(hash));
        TxOut { value: Amount::from_sat(*sat), script_pubkey }
    };
    let parent = Txid::from_byte_array([1; 32]);
    let input = |(at, sat)| NewInput::new(OutPoint::new(parent, id::small(at))).prevout(out(1, at, sat));
    let inputs = inputs.iter().enumerate().map(input).collect();
    let outputs = outputs.iter().enumerate().map(|(at, sat)| out(2, at, sat)).collect();
    let mut builder = ChainBuilder::new();
    builder.insert(NewTx::claimed(Txid::from_byte_array([2; 32]), inputs, outputs))?;
    builder.finish()
}
