//! Address type: change has the kind of script that the inputs have.
//!
//! Returns the outputs of the inputs' kind; applies where all inputs have one. The idea: a wallet makes its change as it makes its addresses. Source:
//! BlockSci. Published: TPR 0.237, FPR 0.0305 (reference 2).

use super::{Change, Payment};
use crate::chain::OutputSet;

/// An output of the one kind of script that all inputs spend.
///
/// # Fooled by
///
/// A wallet that makes native addresses for change while it still spends old coins.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::AddressType;
/// let chain = sketch(&[("t", &[("coin", 900, "p2pkh:alice")], &[(500, "p2pkh:bob"), (399, "alice's new kind")])]);
/// assert_eq!(vouts(&chain, "t", &AddressType), Some(vec![0]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AddressType;

impl Change for AddressType {
    fn name(&self) -> &'static str {
        "address_type"
    }

    fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
        let of = payment.input_type()?;
        payment.those(|output| output.script_type == Some(of))
    }
}
