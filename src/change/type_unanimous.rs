//! Unanimous type: the inputs have one kind of script, and one output alone has it too.
//!
//! Returns that output; does not apply where the inputs differ, or where none or several outputs have their kind. The strict form of `address_type`, as
//! payjoin/tx-indexer has it. Published rates are those of `address_type`, of which only sets of one were counted.

use super::{Change, Payment};
use crate::chain::OutputSet;

/// The only output of the one kind of script that all inputs spend.
///
/// # Fooled by
///
/// Two inputs of a wallet that keeps both kinds, and a payee of the older one.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::TypeUnanimous;
/// let chain = sketch(&[("t", &[("coin", 900, "p2sh:alice")], &[(500, "p2sh:bob"), (399, "alice")])]);
/// assert_eq!(vouts(&chain, "t", &TypeUnanimous), Some(vec![0]));
/// let all = sketch(&[("t", &[("coin", 900, "alice")], &[(500, "bob"), (399, "alice2")])]);
/// assert_eq!(vouts(&all, "t", &TypeUnanimous), None);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TypeUnanimous;

impl Change for TypeUnanimous {
    fn name(&self) -> &'static str {
        "type_unanimous"
    }

    fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
        let of = payment.input_type()?;
        payment.the_only(|output| output.script_type == Some(of))
    }
}
