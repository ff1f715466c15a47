//! Payments to protocols that pay on another chain, from what they write into `OP_RETURN` outputs.
//!
//! A memo says in plain bytes where the money goes next: the way across chains that needs no heuristic. What it says is a claim of whoever
//! made the transaction. That a swap took place follows only when the payee is a vault of the protocol at that height, which needs the
//! protocol's own data; so the verdict is of the memo's form, and the feature `claimed` says so.
//!
//! [`thorchain`] reads text, [`chainflip`] bytes. Memos are hostile input: nothing is allocated by a length that they state.

pub mod chainflip;
pub mod thorchain;

use bitcoin::Script;
use bitcoin::script::Instruction;

use super::Finding;
use crate::chain::{ScriptType, Tx, View};

/// Says what a transaction's memo says, whichever protocol wrote it.
///
/// # Complexity
///
/// Linear in the bytes of the outputs.
///
/// # Examples
///
/// See [`thorchain::find`] and [`chainflip::find`].
pub fn find(tx: Tx<'_>) -> Option<Finding> {
    // Nearly all transactions have no data.
    tx.outputs().find(|output| output.script_type() == Some(ScriptType::OpReturn))?;
    thorchain::find(tx).or_else(|| chainflip::find(tx))
}

/// Joins the outbound of a swap, or its refund, to its inbound on this chain: see [`thorchain::join`].
pub fn join(outbound: Tx<'_>, view: View<'_>) -> Option<Finding> {
    thorchain::join(outbound, view)
}

/// The bytes that an `OP_RETURN` script pushes, one push after the other; `None` for any other script, and where a push is cut off.
fn payload(script: &Script) -> Option<Vec<u8>> {
    if !script.is_op_return() {
        return None;
    }
    let mut bytes = Vec::new();
    for instruction in Script::from_bytes(&script.as_bytes()[1..]).instructions() {
        match instruction.ok()? {
            Instruction::PushBytes(push) => bytes.extend_from_slice(push.as_bytes()),
            Instruction::Op(_) => return None,
        }
    }
    Some(bytes)
}
