//! Fresh change: the one output of an address that nobody paid before.
//!
//! Returns it where there are two outputs or more, all of different addresses, none of an input, and exactly one of them new; otherwise it does not apply. An
//! output that can be spent and has no address leaves the question open, and the rule does not apply. The idea: a payee's address was published, so it has been paid
//! before; change gets a new one. It is Meiklejohn's rule without its later refinements, in the form that independent implementations agree on. Source:
//! Meiklejohn and others, "A Fistful of Bitcoins" (IMC 2013), section 4.2. BlockSci asks of new addresses by the script's form; here an address is one whether its key is paid bare or by
//! hash. "New" is new in this input (see [the module](super)): where previous transactions are missing, what is missing decides.

use super::{Change, Payment};
use crate::chain::OutputSet;

/// The only new address among different ones that are no input's.
///
/// # Fooled by
///
/// A customer who pays to a new address of a shop and gets the rest back on a change address that was in use before.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::Fresh;
/// let chain = sketch(&[
///     ("before", &[("coin", 100, "x")], &[(50, "alice's other"), (20, "y")]),
///     ("t", &[("coin", 900, "alice")], &[(500, "the shop's new one"), (399, "alice's other")]),
/// ]);
/// assert_eq!(vouts(&chain, "t", &Fresh), Some(vec![0]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Fresh;

impl Change for Fresh {
    fn name(&self) -> &'static str {
        "fresh"
    }

    fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
        if payment.spendable().any(|output| output.address.is_none() || output.is_of_input) || repeats(payment) {
            return None;
        }
        payment.the_only(|output| output.is_new == Some(true))
    }
}

/// True when two outputs that can be spent have one address: by pairs where there are few outputs, sorted where there are many.
fn repeats(payment: &Payment<'_>) -> bool {
    if payment.outputs().len() <= 8 {
        let earlier = |at: usize| payment.spendable().take(at);
        return payment.spendable().enumerate().any(|(at, one)| earlier(at).any(|other| other.address == one.address));
    }
    let mut sorted: Vec<_> = payment.spendable().map(|output| output.address).collect();
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| pair[0] == pair[1])
}
