//! Equal fingerprints: change is spent by a transaction that looks like the one that made it.
//!
//! Returns the outputs whose spender's flags agree with the payment's under a mask; applies where every output that can be spent is spent, and where the facts behind the mask are known of all. If
//! exactly one agrees, it is change. Source: Moeser and Narayanan, "Resurrecting Address Clustering in Bitcoin" (Financial Cryptography 2022), section 4; rates stand in [`Mask::ALL`]. Looks ahead, to the spenders that the
//! view sees: as of a height it applies to fewer payments.

use super::{Fingerprints, Hindsight, Mask, those};
use crate::chain::{OutputSet, Tx};

/// An output whose spender looks like the payment, under a mask.
///
/// # Examples
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::{Fingerprint, Fingerprints, Mask, SameFingerprint};
/// let chain = sketch(&[
///     ("t v2", &[("coin", 900, "alice")], &[(500, "bob"), (399, "alice2")]),
///     ("u", &[("t:0", 500, "bob")], &[(499, "carol")]),
///     ("w v2", &[("t:1", 399, "alice2")], &[(398, "dave")]),
/// ]);
/// let flags = Fingerprints::of(chain.view());
/// let rule = SameFingerprint::new(&flags, Mask::new("version", Fingerprint::VERSION_2));
/// assert_eq!(vouts_later(&chain, "t", &rule), Some(vec![1]));
/// // Nobody spends what u pays: nothing to compare.
/// assert_eq!(vouts_later(&chain, "u", &rule), None);
/// ```
///
/// # Fooled by
///
/// A payer who updates the wallet, and a payee who has not.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::{Fingerprint, Fingerprints, Mask, SameFingerprint};
/// let chain = sketch(&[
///     ("t", &[("coin", 900, "alice")], &[(500, "bob"), (399, "alice2")]),
///     ("u", &[("t:0", 500, "bob")], &[(499, "carol")]),
///     ("w v2", &[("t:1", 399, "alice2")], &[(398, "dave")]),
/// ]);
/// let flags = Fingerprints::of(chain.view());
/// let rule = SameFingerprint::new(&flags, Mask::new("version", Fingerprint::VERSION_2));
/// assert_eq!(vouts_later(&chain, "t", &rule), Some(vec![0]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SameFingerprint<'f> {
    fingerprints: &'f Fingerprints,
    mask: Mask,
}

impl<'f> SameFingerprint<'f> {
    /// Makes the rule with the flags of the same chain.
    pub fn new(fingerprints: &'f Fingerprints, mask: Mask) -> Self {
        Self { fingerprints, mask }
    }
}

impl Hindsight for SameFingerprint<'_> {
    fn name(&self) -> &'static str {
        self.mask.name
    }

    fn parameters(&self) -> Vec<(&'static str, String)> {
        vec![("mask", format!("{:#010x}", self.mask.bits))]
    }

    fn candidates(&self, tx: Tx<'_>) -> Option<OutputSet> {
        let own = self.fingerprints.get(tx.index())?;
        let agrees = |spender: Tx<'_>| self.fingerprints.get(spender.index())?.agrees(own, self.mask.bits);
        let comparable = tx
            .outputs()
            .filter(|output| !output.is_unspendable())
            .all(|output| output.spender().is_some_and(|spender| agrees(spender).is_some()));
        if !comparable {
            return None;
        }
        those(tx, |output| output.spender().and_then(agrees) == Some(true))
    }
}
