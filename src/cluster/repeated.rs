//! A guard: do several outputs have one amount, paid for by several addresses?
//!
//! Whoever hides among others gets an output that looks like theirs, so a CoinJoin repeats amounts, whatever its protocol; payments and change seldom
//! do. The detectors of [`coinjoin`](crate::detect::coinjoin) say which protocol it is and must be sure of it. A guard need not: leaving out an
//! ordinary transaction costs the few merges that hang by it alone, taking in a mix joins all who are in it. So this asks for less than any of them.
//!
//! Thresholds: three outputs of one amount and three addresses that pay, for below that nearly all are payments that happen to be equal, and a third
//! of the outputs equal to another, for a service's batch of many payouts has some that are. Amounts up to 2,730 sat are dust and markers, and not
//! counted. They were chosen on simulated worlds, an emulated chain and a node's chain; `COMPARE.md` has the rows, and what real blocks say of the cost.

use crate::chain::Tx;

/// Outputs that have one amount, and addresses that pay for them.
const ALIKE_MIN: usize = 3;
/// One in so many outputs has an amount that another has.
const SHARE: usize = 3;
/// Up to here an amount is dust, or a marker of a protocol that writes rows of them: 546 and 2,730.
const DUST_SAT: u64 = 2_730;
/// Up to so many outputs take no allocation.
const FEW: usize = 16;

/// True when three outputs or more have one amount, three addresses or more pay, and a third of the outputs at least have an amount that another has;
/// dust not counted. An input without a known address counts as one more that pays: where a previous transaction is missing the guard leaves out
/// rather than lets in.
///
/// # Complexity
///
/// O(n log n) in inputs and outputs; for nearly all transactions a look at how many there are.
///
/// # Examples
///
/// ```
/// use fundtrace::{cluster, detect};
/// // Thirteen clients and the amounts of Wasabi 2: too few inputs for its rule to speak.
/// let outputs = [2_097_152, 2_097_152, 2_097_152, 1_062_882, 1_062_882, 131_072, 131_072, 131_072, 131_072, 423_170];
/// let chain = detect::sketch(&[900_000; 13], &outputs)?;
/// let tx = chain.view().txs().find(|tx| tx.inputs().len() == 13).unwrap();
/// assert!(detect::coinjoin::classify(tx).is_none() && cluster::has_repeated_outputs(tx));
/// // Two equal outputs are a payment, and its change by chance, or two payments.
/// let chain = detect::sketch(&[90_000; 4], &[100_000, 100_000, 150_000])?;
/// assert!(!chain.view().txs().any(cluster::has_repeated_outputs));
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// Three equal prizes, paid by one wallet out of three coins: an ordinary merge that is lost.
///
/// ```
/// use fundtrace::{cluster, detect};
/// let chain = detect::sketch(&[60_000; 3], &[50_000, 50_000, 50_000, 29_000])?;
/// assert!(chain.view().txs().any(cluster::has_repeated_outputs));
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// And whoever builds a mix so as to be taken for a payment. Five outputs of one amount go unseen beside eleven odd ones, which fall below a third; as dust;
/// and two equal ones are what a mix of two has.
///
/// ```
/// use fundtrace::{cluster, detect};
/// let padded: Vec<u64> = [900_000; 5].into_iter().chain((0..11).map(|at| 10_000 + 717 * at)).collect();
/// let dust = [2_730, 2_730, 2_730, 2_730, 2_730, 1_800, 1_801, 1_802, 1_803, 1_804];
/// for (inputs, outputs) in [(&[1_000_000; 5][..], &padded[..]), (&[5_000; 5], &dust), (&[70_000, 80_000], &[50_000, 50_000, 19_000, 29_000])] {
///     let chain = detect::sketch(inputs, outputs)?;
///     assert!(!chain.view().txs().any(cluster::has_repeated_outputs));
/// }
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn has_repeated_outputs(tx: Tx<'_>) -> bool {
    let outputs = tx.outputs();
    if tx.inputs().len() < ALIKE_MIN || outputs.len() < ALIKE_MIN {
        return false;
    }
    // A clustering asks this of every third transaction, and nearly all have few outputs.
    let (mut few, mut many) = ([0; FEW], Vec::new());
    let amounts = match few.get_mut(..outputs.len()) {
        Some(few) => few,
        None => {
            many.resize(outputs.len(), 0);
            &mut many[..]
        }
    };
    let mut len = 0;
    for (output, sat) in outputs.zip(tx.output_sats()) {
        // Not `is_unspendable`, which asks about coinbases too.
        if let Some(sat) = sat.filter(|sat| *sat > DUST_SAT && !output.has_unspendable_script()) {
            amounts[len] = sat;
            len += 1;
        }
    }
    let amounts = &mut amounts[..len];
    amounts.sort_unstable();
    let alike = amounts.chunk_by(|a, b| a == b).map(<[u64]>::len).filter(|count| *count > 1);
    let (most, repeated) = alike.fold((0, 0), |(most, repeated), count| (count.max(most), repeated + count));
    if most < ALIKE_MIN || repeated * SHARE < amounts.len() {
        return false;
    }
    let mut payers: Vec<_> = tx.input_addresses().flatten().collect();
    let unknown = tx.inputs().len() - payers.len();
    payers.sort_unstable();
    payers.dedup();
    payers.len() + unknown >= ALIKE_MIN
}
