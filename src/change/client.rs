//! Client change behaviour: a wallet makes a new address for its change.
//!
//! Returns the outputs whose address nobody paid before; one without an address cannot be ruled out. Source: BlockSci, after Meiklejohn and others; it
//! tells addresses apart by the script's form, here a key that is paid bare is the address of its hash. No published rate of its own: payees use new addresses too,
//! so it decides little alone. "New" is new in this input (see [the module](super)).

use super::{Change, Payment};
use crate::chain::OutputSet;

/// An output whose address no earlier transaction pays.
///
/// # Fooled by
///
/// A shop that gives a new address to each buyer, and a wallet that reuses its own.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::Client;
/// let chain = sketch(&[
///     ("before", &[("coin", 950, "x")], &[(900, "alice"), (20, "y")]),
///     ("t", &[("before:0", 900, "alice")], &[(500, "the shop's new one"), (399, "alice")]),
/// ]);
/// assert_eq!(vouts(&chain, "t", &Client), Some(vec![0]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Client;

impl Change for Client {
    fn name(&self) -> &'static str {
        "client"
    }

    fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
        payment.those(|output| output.is_new != Some(false))
    }
}
