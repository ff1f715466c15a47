//! What all detectors of mixes ask of a transaction, gathered once.

use crate::chain::{Input, Output, ScriptType, Tx};
use crate::id::{self, AddressIndex};

/// Inputs and spendable outputs of a transaction, with their scripts numbered by address.
///
/// Invariant: `outputs` and `sorted` hold the spendable outputs alone.
pub(crate) struct Shape {
    /// Values of the inputs in order; `None` where one is unknown.
    pub(crate) inputs: Option<Vec<u64>>,
    pub(crate) inputs_len: usize,
    /// Different scripts among the inputs; `None` where one is unknown.
    pub(crate) input_scripts: Option<usize>,
    /// Values of the spendable outputs, in order.
    pub(crate) outputs: Vec<u64>,
    /// The same, ascending.
    pub(crate) sorted: Vec<u64>,
    /// Different scripts among the spendable outputs.
    pub(crate) output_scripts: usize,
    /// Outputs that carry data.
    pub(crate) data_outputs: usize,
}

/// A value and how many outputs have it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Repeated {
    pub(crate) sat: u64,
    pub(crate) count: usize,
}

impl Shape {
    pub(crate) fn of(tx: Tx<'_>) -> Self {
        let inputs: Option<Vec<u64>> = tx.inputs().map(|input| Some(input.value()?.to_sat())).collect();
        let input_scripts = input_scripts(tx);
        let (mut outputs, mut keys) = (Vec::with_capacity(tx.outputs().len()), Vec::with_capacity(tx.outputs().len()));
        for output in tx.outputs().filter(|output| !is_data(*output)) {
            outputs.push(sat(output));
            keys.extend(key_of_output(output));
        }
        keys.sort_unstable();
        keys.dedup();
        let mut sorted = outputs.clone();
        sorted.sort_unstable();
        let data_outputs = tx.outputs().len() - outputs.len();
        let inputs_len = tx.inputs().len();
        let output_scripts = keys.len();
        Self { inputs, inputs_len, input_scripts, outputs, sorted, output_scripts, data_outputs }
    }

    /// The values of the spendable outputs, ascending, each with its count.
    pub(crate) fn values(&self) -> impl Iterator<Item = Repeated> {
        self.sorted.chunk_by(|a, b| a == b).map(|run| Repeated { sat: run[0], count: run.len() })
    }

    /// The most frequent value of the outputs; of several the lowest.
    pub(crate) fn mode(&self) -> Option<Repeated> {
        self.values().reduce(|best, next| if next.count > best.count { next } else { best })
    }

    /// True when no two spendable outputs pay one script.
    pub(crate) fn outputs_distinct(&self) -> bool {
        self.output_scripts == self.outputs.len()
    }
}

pub(crate) fn sat(output: Output<'_>) -> u64 {
    output.value().map_or(0, |value| value.to_sat())
}

pub(crate) fn is_data(output: Output<'_>) -> bool {
    output.script_type() == Some(ScriptType::OpReturn)
}

/// What tells scripts apart: the address, or the bytes where there is none.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
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

/// How many different scripts; `None` where one is unknown.
fn input_scripts(tx: Tx<'_>) -> Option<usize> {
    let mut keys: Vec<Key<'_>> = tx.inputs().map(key_of_input).collect::<Option<_>>()?;
    keys.sort_unstable();
    keys.dedup();
    Some(keys.len())
}

/// True when two spendable outputs have one value: without it no detector of mixes says anything. Worked out without an
/// allocation for the sizes that nearly all transactions have.
pub(crate) fn has_equal_outputs(tx: Tx<'_>) -> bool {
    const FEW: usize = 8;
    let mut seen = [0; FEW];
    let mut len = 0;
    for output in tx.outputs() {
        let sat = sat(output);
        if sat == 0 {
            continue;
        }
        if seen[..len].contains(&sat) {
            return true;
        }
        if len == FEW {
            let mut all: Vec<u64> = tx.outputs().map(self::sat).filter(|sat| *sat > 0).collect();
            all.sort_unstable();
            return all.windows(2).any(|pair| pair[0] == pair[1]);
        }
        seen[len] = sat;
        len += 1;
    }
    false
}

/// `part` of `whole` in parts of a million, rounded down.
pub(crate) fn ppm(part: usize, whole: usize) -> u32 {
    let share = id::number(part) * 1_000_000 / id::number(whole.max(1));
    u32::try_from(share).unwrap_or(u32::MAX)
}
