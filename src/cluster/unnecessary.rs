//! A guard: does a transaction have an input that its payment did not need?
//!
//! In a payjoin the payee adds an input of its own and raises its output by as much. From outside this looks as if the payer had spent a coin without
//! need: without the smallest input the rest would still cover all outputs but the smallest. The test is the second "unnecessary input heuristic".
//!
//! 1. Ghesmati, Kern, Judmayer, Stifter, Weippl: Unnecessary input heuristics and PayJoin transactions (HCI International 2021), UIH2.

use bitcoin::Amount;

use crate::chain::{Input, Output, Tx};

/// True when the inputs without the smallest are worth as much as the outputs without the smallest, the fee ignored, in a transaction of two inputs
/// and two outputs that can be spent, at least. False where a value is unknown, and for a coinbase.
///
/// With one output the test would always hold, because nothing is left to cover; so it is not asked of consolidations. Outputs that nobody can spend do
/// not count, or an `OP_RETURN` of no value would be the smallest.
///
/// # Fooled by
///
/// Wallets that spend more than they need, to be rid of small coins: nothing here is a payjoin.
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::cluster::has_unnecessary_input;
///
/// let out = |sat| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new() };
/// let spend = |tx: u8, sat| NewInput::new(OutPoint::new(Txid::from_byte_array([tx; 32]), 0)).prevout(out(sat));
/// let mut builder = ChainBuilder::new();
/// // 100 pays 60 alone; the 5 was swept along.
/// builder.insert(NewTx::claimed(Txid::from_byte_array([8; 32]), vec![spend(1, 100), spend(2, 5)], vec![out(60), out(45)]))?;
/// // 60 + 50 pay 100: both are needed.
/// builder.insert(NewTx::claimed(Txid::from_byte_array([9; 32]), vec![spend(3, 60), spend(4, 50)], vec![out(100), out(10)]))?;
/// let chain = builder.finish()?;
/// let asked = |tx: u8| has_unnecessary_input(chain.view().tx_at(&Txid::from_byte_array([tx; 32])).unwrap());
/// assert!(asked(8) && !asked(9));
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn has_unnecessary_input(tx: Tx<'_>) -> bool {
    let Some(paid_in) = tx.input_value() else { return false };
    let spendable: Vec<Amount> =
        tx.outputs().filter(|output| !output.is_unspendable()).filter_map(Output::value).collect();
    if tx.inputs().len() < 2 || spendable.len() < 2 {
        return false;
    }
    let least_in = tx.inputs().filter_map(Input::value).min().unwrap_or(Amount::ZERO);
    let least_out = spendable.iter().copied().min().unwrap_or(Amount::ZERO);
    paid_in - least_in >= spendable.into_iter().sum::<Amount>() - least_out
}
