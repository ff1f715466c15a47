//! A payment with what rules ask of it, looked up once.
//!
//! Returns facts only. The idea: sixteen rules ask the same dozen questions, and an answer from a column costs more than the rule. And a rule that gets
//! nothing else cannot look ahead.

use std::fmt;

use bitcoin::Amount;

use crate::chain::{Output, OutputSet, ScriptType, Tx};
use crate::id::{AddressIndex, BlockHeight, OutputIndex, TxIndex};

/// A transaction that spends something and has two or more outputs that can be spent, as it and the chain before it are.
///
/// # Complexity
///
/// Made in time linear in inputs and outputs, times the logarithm of the inputs; two allocations.
///
/// # Examples
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::Payment;
///
/// let chain = sketch(&[("t", &[("coin", 900, "alice")], &[(500, "bob"), (399, "alice")])]);
/// let payment = Payment::of(chain.view().txs().next().unwrap()).unwrap();
/// assert_eq!(payment.least_input(), Some(fundtrace::bitcoin::Amount::from_sat(900)));
/// assert_eq!(payment.fee(), Some(fundtrace::bitcoin::Amount::from_sat(1)));
/// assert_eq!(payment.outputs()[0].is_new, Some(true));
/// assert!(payment.outputs()[1].is_of_input);
/// ```
pub struct Payment<'c> {
    tx: Tx<'c>,
    inputs: Vec<Funds>,
    outputs: Vec<Paid>,
    least_input: Option<Amount>,
    fee: Option<Amount>,
    input_type: Option<ScriptType>,
}

/// What an input brings.
///
/// # Examples
///
/// See [`Payment`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Funds {
    /// The value, if known.
    pub value: Option<Amount>,
    /// The address that the spent output paid, if known.
    pub address: Option<AddressIndex>,
    /// The kind of the spent script, if known.
    pub script_type: Option<ScriptType>,
}

/// What an output gets.
///
/// # Examples
///
/// See [`Payment`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Paid {
    /// Its position.
    pub index: OutputIndex,
    /// The value.
    pub value: Amount,
    /// The address, if it has one.
    pub address: Option<AddressIndex>,
    /// The kind of the script.
    pub script_type: Option<ScriptType>,
    /// Whether no earlier transaction pays its address; `None` where it has no address.
    pub is_new: Option<bool>,
    /// Whether some input spends an output of its address.
    pub is_of_input: bool,
    /// Whether somebody can spend it, as far as its script tells.
    pub is_spendable: bool,
}

impl<'c> Payment<'c> {
    /// Looks a payment up; `None` for a coinbase, a stub, and where fewer than two outputs can be spent.
    pub fn of(tx: Tx<'c>) -> Option<Self> {
        let mut payment = Self::unread(tx);
        payment.read(tx).then_some(payment)
    }

    /// A place for payments to be read into, one after the other, without new memory for each.
    pub(super) fn unread(tx: Tx<'c>) -> Self {
        Self { tx, inputs: Vec::new(), outputs: Vec::new(), least_input: None, fee: None, input_type: None }
    }

    /// Reads a payment in place of the last one; false where `tx` is none, and then nothing here means anything.
    pub(super) fn read(&mut self, tx: Tx<'c>) -> bool {
        if tx.is_coinbase() || tx.is_stub() || tx.outputs().len() < 2 {
            return false;
        }
        self.tx = tx;
        self.inputs.clear();
        let inputs = tx.input_sats().zip(tx.input_addresses()).zip(tx.input_types());
        self.inputs.extend(inputs.map(|((sat, address), script_type)| Funds {
            value: sat.map(Amount::from_sat),
            address,
            script_type,
        }));
        let reused = Addresses::of(&self.inputs);
        self.outputs.clear();
        let start = tx.outputs().next().map(Output::index).unwrap_or_default();
        let outputs = tx.outputs().zip(tx.output_sats()).zip(tx.output_addresses().zip(tx.output_types()));
        self.outputs.extend(outputs.map(|((output, sat), (address, script_type))| Paid {
            index: output.index(),
            value: sat.map(Amount::from_sat).expect("outputs of supplied transactions have values"),
            address,
            script_type,
            is_new: address.map(|address| output.is_new(address, start)),
            is_of_input: address.is_some_and(|address| reused.contains(address)),
            // Not `is_unspendable`, which asks about coinbases too and whether a later one overwrote them.
            is_spendable: !output.has_unspendable_script(),
        }));
        if self.outputs.iter().filter(|output| output.is_spendable).take(2).count() < 2 {
            return false;
        }
        let values = self.inputs.iter().map(|input| input.value);
        self.least_input = values.clone().min().flatten();
        let out: Amount = self.outputs.iter().map(|output| output.value).sum();
        self.fee = values.sum::<Option<Amount>>().and_then(|sum| sum.checked_sub(out));
        let first = self.inputs.first().and_then(|input| input.script_type);
        self.input_type = first.filter(|_| self.inputs.iter().all(|input| input.script_type == first));
        true
    }

    /// Returns its position in chain order.
    pub fn index(&self) -> TxIndex {
        self.tx.index()
    }

    /// Returns the height of its block, if a source gave it.
    pub fn height(&self) -> Option<BlockHeight> {
        self.tx.height()
    }

    /// Returns its version, if a source gave it.
    pub fn version(&self) -> Option<i32> {
        self.tx.version()
    }

    /// Returns its lock time, if a source gave it.
    pub fn lock_time(&self) -> Option<u32> {
        self.tx.lock_time()
    }

    /// Returns the inputs in order.
    pub fn inputs(&self) -> &[Funds] {
        &self.inputs
    }

    /// Returns the outputs in order, those too that nobody can spend.
    pub fn outputs(&self) -> &[Paid] {
        &self.outputs
    }

    /// Iterates the outputs that can be spent, in order.
    pub fn spendable(&self) -> impl DoubleEndedIterator<Item = &Paid> + Clone {
        self.outputs.iter().filter(|output| output.is_spendable)
    }

    /// Returns the outputs that can be spent and for which `keep` holds. Always `Some`, as rules return it.
    pub fn those(&self, keep: impl Fn(&Paid) -> bool) -> Option<OutputSet> {
        Some(self.spendable().filter(|output| keep(output)).map(|output| output.index).collect())
    }

    /// Returns the one output that can be spent and for which `keep` holds, as a set; `None` where there are none or several.
    pub fn the_only(&self, keep: impl Fn(&Paid) -> bool) -> Option<OutputSet> {
        let mut kept = self.spendable().filter(|output| keep(output));
        let only = kept.next()?;
        kept.next().is_none().then(|| [only.index].into_iter().collect())
    }

    /// Returns the value of the smallest input; `None` where some input's value is unknown.
    pub fn least_input(&self) -> Option<Amount> {
        self.least_input
    }

    /// Returns the fee; `None` where some input's value is unknown.
    pub fn fee(&self) -> Option<Amount> {
        self.fee
    }

    /// Returns the kind of script that all inputs spend; `None` where they differ or one is unknown.
    pub fn input_type(&self) -> Option<ScriptType> {
        self.input_type
    }
}

impl fmt::Debug for Payment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tx, inputs, outputs, .. } = self;
        f.debug_struct("Payment")
            .field("tx", tx)
            .field("inputs", inputs)
            .field("outputs", outputs)
            .finish_non_exhaustive()
    }
}

/// The addresses of inputs, sorted where that pays.
enum Addresses<'i> {
    Few(&'i [Funds]),
    Many(Vec<AddressIndex>),
}

impl<'i> Addresses<'i> {
    fn of(inputs: &'i [Funds]) -> Self {
        if inputs.len() <= 8 {
            return Self::Few(inputs);
        }
        let mut sorted: Vec<AddressIndex> = inputs.iter().filter_map(|input| input.address).collect();
        sorted.sort_unstable();
        Self::Many(sorted)
    }

    fn contains(&self, address: AddressIndex) -> bool {
        match self {
            Self::Few(inputs) => inputs.iter().any(|input| input.address == Some(address)),
            Self::Many(sorted) => sorted.binary_search(&address).is_ok(),
        }
    }
}
