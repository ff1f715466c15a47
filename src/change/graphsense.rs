//! GraphSense's one-time change: a small, crooked output of the inputs' kind on an address that is used once.
//!
//! Returns the one output that meets all of this: the transaction has 2 to 10 outputs; all inputs are of one kind of script and the output of the same; its value is no multiple of 1000 satoshis and smaller than every input; its
//! address is paid once, here, and so spent from once at most. Does not apply where none or several do. Source: graphsense-lib, `heuristics_service.py`, which gives
//! it confidence 50 of 100. No published rate. Looks ahead, to later payments to the address that the view sees.

use super::{Hindsight, Payment};
use crate::chain::{OutputSet, Tx};
use crate::id::AddressIndex;

/// graphsense-lib: a transaction of more outputs is no ordinary payment.
const OUTPUTS_MAX: usize = 10;
/// graphsense-lib: a multiple of this is a sum that a person chose.
const ROUND_SAT: u64 = 1000;

/// The one output of GraphSense's one-time change.
///
/// # Fooled by
///
/// A payment in another currency to a new address, smaller than every coin that was brought.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::Graphsense;
/// let chain = sketch(&[("t", &[("coin", 5_000, "alice")], &[(1_234, "bob"), (3_000, "alice2")])]);
/// assert_eq!(vouts_later(&chain, "t", &Graphsense), Some(vec![0]));
/// let reused = sketch(&[
///     ("t", &[("coin", 5_000, "alice")], &[(1_234, "bob"), (3_000, "alice2")]),
///     ("u", &[("coin", 5_000, "x")], &[(4_000, "bob")]),
/// ]);
/// assert_eq!(vouts_later(&reused, "t", &Graphsense), None);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Graphsense;

impl Hindsight for Graphsense {
    fn name(&self) -> &'static str {
        "graphsense"
    }

    fn candidates(&self, tx: Tx<'_>) -> Option<OutputSet> {
        let payment = Payment::of(tx)?;
        if payment.outputs().len() > OUTPUTS_MAX {
            return None;
        }
        let (of, least) = (payment.input_type()?, payment.least_input()?);
        payment.the_only(|output| {
            let crooked = !output.value.to_sat().is_multiple_of(ROUND_SAT);
            let small = crooked && output.value < least && output.script_type == Some(of);
            small && output.address.is_some_and(|address| is_paid_once(tx, address))
        })
    }
}

fn is_paid_once(tx: Tx<'_>, address: AddressIndex) -> bool {
    tx.view().outputs_of(address).len() == 1
}
