//! Meiklejohn's second heuristic, void if the address is ever paid again.
//!
//! Returns what `meiklejohn` does, where no later transaction in the view pays that address; otherwise it does not apply. Source: Moeser and Narayanan's notebooks. Published: precision 0.949, recall 0.562 (reference 2).
//! Looks ahead, over everything that the view sees.

use super::{Change, Hindsight, Meiklejohn, Payment};
use crate::chain::{OutputSet, Tx};

/// The only new address that is never paid again.
///
/// # Fooled by
///
/// A payee's new address that is used once, as they should be, and change to an old one.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::MeiklejohnGlobal;
/// let before: (&str, &[_], &[_]) = ("before", &[("coin", 100, "x")], &[(50, "alice's other"), (20, "y")]);
/// let t: (&str, &[_], &[_]) = ("t", &[("coin", 900, "alice")], &[(500, "bob's new"), (399, "alice's other")]);
/// assert_eq!(vouts_later(&sketch(&[before, t]), "t", &MeiklejohnGlobal), Some(vec![0]));
/// let again: (&str, &[_], &[_]) = ("again", &[("coin", 100, "z")], &[(99, "bob's new")]);
/// assert_eq!(vouts_later(&sketch(&[before, t, again]), "t", &MeiklejohnGlobal), None);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct MeiklejohnGlobal;

impl Hindsight for MeiklejohnGlobal {
    fn name(&self) -> &'static str {
        "meiklejohn_global"
    }

    fn candidates(&self, tx: Tx<'_>) -> Option<OutputSet> {
        let found = Meiklejohn.candidates(&Payment::of(tx)?)?;
        let address = tx.view().output(found.only()?).address_index()?;
        let again =
            tx.view().outputs_of(address).iter().any(|output| tx.view().output(output).tx().index() > tx.index());
        (!again).then_some(found)
    }
}
