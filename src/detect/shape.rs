//! What all detectors of mixes ask of a transaction, gathered once.

use std::cell::OnceCell;

use crate::chain::{Input, Output, ScriptType, Tx};
use crate::id::{self, AddressIndex};

/// Inputs and spendable outputs of a transaction; what takes more than their values is worked out when it is first asked for, as most
/// transactions fail at the values.
///
/// Invariant: `outputs` and `sorted` hold the spendable outputs alone.
pub(crate) struct Shape<'c> {
    tx: Tx<'c>,
    pub(crate) inputs_len: usize,
    /// Values of the spendable outputs, in order.
    pub(crate) outputs: Vec<u64>,
    /// The same, ascending.
    pub(crate) sorted: Vec<u64>,
    /// Outputs that carry data.
    pub(crate) data_outputs: usize,
    mode: Option<Repeated>,
    inputs: OnceCell<Option<Vec<u64>>>,
    input_scripts: OnceCell<Option<usize>>,
    output_scripts: OnceCell<usize>,
    dealt: OnceCell<(Repeated, Option<bool>)>,
}

/// A value and how many outputs have it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Repeated {
    pub(crate) sat: u64,
    pub(crate) count: usize,
}

impl<'c> Shape<'c> {
    pub(crate) fn of(tx: Tx<'c>) -> Self {
        let mut outputs = Vec::with_capacity(tx.outputs().len());
        outputs.extend(tx.outputs().filter(|output| !is_data(*output)).map(sat));
        let mut sorted = outputs.clone();
        sorted.sort_unstable();
        Self {
            tx,
            inputs_len: tx.inputs().len(),
            mode: repeated(&sorted).reduce(|best, next| if next.count > best.count { next } else { best }),
            data_outputs: tx.outputs().len() - outputs.len(),
            outputs,
            sorted,
            inputs: OnceCell::new(),
            input_scripts: OnceCell::new(),
            output_scripts: OnceCell::new(),
            dealt: OnceCell::new(),
        }
    }

    /// Values of the inputs in order; `None` where one is unknown.
    pub(crate) fn inputs(&self) -> Option<&[u64]> {
        let values = || self.tx.inputs().map(|input| Some(input.value()?.to_sat())).collect();
        self.inputs.get_or_init(values).as_deref()
    }

    /// Different scripts among the inputs; `None` where one is unknown.
    pub(crate) fn input_scripts(&self) -> Option<usize> {
        *self.input_scripts.get_or_init(|| distinct(self.tx.inputs().map(key_of_input)))
    }

    /// Different scripts among the spendable outputs.
    pub(crate) fn output_scripts(&self) -> usize {
        let spendable = || self.tx.outputs().filter(|output| !is_data(*output));
        let keys = || spendable().filter_map(key_of_output).map(Some);
        *self.output_scripts.get_or_init(|| distinct(keys()).expect("unknown ones were left out"))
    }

    /// The values of the spendable outputs, ascending, each with its count.
    pub(crate) fn values(&self) -> impl Iterator<Item = Repeated> {
        repeated(&self.sorted)
    }

    /// The most frequent value of the outputs; of several the lowest.
    pub(crate) fn mode(&self) -> Option<Repeated> {
        self.mode
    }

    /// True when no two spendable outputs pay one script.
    pub(crate) fn outputs_distinct(&self) -> bool {
        self.output_scripts() == self.outputs.len()
    }

    /// What `ask` says of a common value, asked once: two rules want to know it.
    pub(crate) fn dealt(&self, common: Repeated, ask: impl Fn() -> Option<bool>) -> Option<bool> {
        let (known, answer) = *self.dealt.get_or_init(|| (common, ask()));
        if known == common { answer } else { ask() }
    }
}

/// The shape of a transaction, made when the first detector wants it.
pub(crate) struct Lazy<'c> {
    pub(crate) tx: Tx<'c>,
    shape: OnceCell<Shape<'c>>,
}

impl<'c> Lazy<'c> {
    pub(crate) fn of(tx: Tx<'c>) -> Self {
        Self { tx, shape: OnceCell::new() }
    }

    pub(crate) fn get(&self) -> &Shape<'c> {
        self.shape.get_or_init(|| Shape::of(self.tx))
    }

    /// True when two spendable outputs have one value that is not nothing: without it no detector of mixes says anything. Of the few outputs
    /// that nearly all transactions have it is found out without an allocation.
    pub(crate) fn has_equal_outputs(&self) -> bool {
        const FEW: usize = 8;
        if self.tx.outputs().len() > FEW {
            return self.get().values().any(|value| value.count > 1 && value.sat > 0);
        }
        let (mut seen, mut len) = ([0; FEW], 0);
        for sat in self.tx.outputs().map(sat).filter(|sat| *sat > 0) {
            if seen[..len].contains(&sat) {
                return true;
            }
            seen[len] = sat;
            len += 1;
        }
        false
    }
}

fn repeated(sorted: &[u64]) -> impl Iterator<Item = Repeated> {
    sorted.chunk_by(|a, b| a == b).map(|run| Repeated { sat: run[0], count: run.len() })
}

pub(crate) fn sat(output: Output<'_>) -> u64 {
    output.value().map_or(0, |value| value.to_sat())
}

pub(crate) fn is_data(output: Output<'_>) -> bool {
    output.script_type() == Some(ScriptType::OpReturn)
}

/// What tells scripts apart: the address, or the bytes where there is none.
enum Key<'c> {
    Address(AddressIndex),
    Script(&'c [u8]),
}

fn key_of_input(input: Input<'_>) -> Option<Key<'_>> {
    input.address_index().map(Key::Address).or_else(|| Some(Key::Script(input.prevout()?.script()?.as_bytes())))
}

fn key_of_output(output: Output<'_>) -> Option<Key<'_>> {
    output.address_index().map(Key::Address).or_else(|| Some(Key::Script(output.script()?.as_bytes())))
}

/// How many are different; `None` where one is unknown.
fn distinct<'c>(keys: impl Iterator<Item = Option<Key<'c>>>) -> Option<usize> {
    let (mut addresses, mut scripts) = (Vec::with_capacity(keys.size_hint().1.unwrap_or(0)), Vec::new());
    for key in keys {
        match key? {
            Key::Address(address) => addresses.push(address),
            Key::Script(script) => scripts.push(script),
        }
    }
    Some(count(addresses) + count(scripts))
}

fn count<T: Ord>(mut of: Vec<T>) -> usize {
    of.sort_unstable();
    of.dedup();
    of.len()
}

/// `part` of `whole` in parts of a million, rounded down.
pub(crate) fn ppm(part: usize, whole: usize) -> u32 {
    let share = id::number(part) * 1_000_000 / id::number(whole.max(1));
    u32::try_from(share).unwrap_or(u32::MAX)
}
