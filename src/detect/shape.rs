//! What all detectors of mixes ask of a transaction, gathered once.

use std::cell::{Cell, OnceCell, RefCell};

use crate::chain::{Input, Output, ScriptType, Tx};
use crate::id::{self, AddressIndex};

/// The lists that a shape and the questions about it fill, handed on from one shape to the next: a scan makes shapes by the hundred thousand.
#[derive(Default)]
pub(crate) struct Room {
    outputs: Vec<u64>,
    sorted: Vec<u64>,
    inputs: Vec<u64>,
    addresses: RefCell<Vec<AddressIndex>>,
    pub(crate) buckets: RefCell<Buckets>,
}

/// Lists for [`packing`](super::coinjoin); what stands in them means nothing to the next.
#[derive(Default)]
pub(crate) struct Buckets {
    pub(crate) owners: Vec<u64>,
    pub(crate) lacks: Vec<u64>,
    pub(crate) free: Vec<u64>,
    pub(crate) open: Vec<u64>,
}

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
    /// The room's other lists; its own `outputs` and `sorted` are in use above, and `inputs` once they are asked for.
    pub(crate) room: Box<Room>,
    spare: Cell<Vec<u64>>,
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
        Self::within(tx, Box::default())
    }

    fn within(tx: Tx<'c>, mut room: Box<Room>) -> Self {
        let [mut outputs, mut sorted, spare] =
            [&mut room.outputs, &mut room.sorted, &mut room.inputs].map(std::mem::take);
        outputs.clear();
        let spendable = tx.output_sats().zip(tx.output_types()).filter(|(_, of)| *of != Some(ScriptType::OpReturn));
        outputs.extend(spendable.map(|(sat, _)| sat.unwrap_or(0)));
        sorted.clear();
        sorted.extend_from_slice(&outputs);
        sorted.sort_unstable();
        Self {
            tx,
            inputs_len: tx.inputs().len(),
            mode: repeated(&sorted).reduce(|best, next| if next.count > best.count { next } else { best }),
            data_outputs: tx.outputs().len() - outputs.len(),
            outputs,
            sorted,
            room,
            spare: Cell::new(spare),
            inputs: OnceCell::new(),
            input_scripts: OnceCell::new(),
            output_scripts: OnceCell::new(),
            dealt: OnceCell::new(),
        }
    }

    fn into_room(self) -> Box<Room> {
        let mut room = self.room;
        room.inputs = self.inputs.into_inner().flatten().unwrap_or(self.spare.into_inner());
        (room.outputs, room.sorted) = (self.outputs, self.sorted);
        room
    }

    /// Values of the inputs in order; `None` where one is unknown.
    pub(crate) fn inputs(&self) -> Option<&[u64]> {
        let values = || {
            let mut values = self.spare.take();
            values.clear();
            for sat in self.tx.input_sats() {
                values.push(sat?);
            }
            Some(values)
        };
        self.inputs.get_or_init(values).as_deref()
    }

    /// Different scripts among the inputs; `None` where one is unknown.
    pub(crate) fn input_scripts(&self) -> Option<usize> {
        let keys = || {
            self.tx.inputs().zip(self.tx.input_addresses()).map(|(input, address)| match address {
                Some(address) => Some(Key::Address(address)),
                None => Some(Key::Script(script_of_input(input)?)),
            })
        };
        *self.input_scripts.get_or_init(|| distinct(keys(), &mut self.room.addresses.borrow_mut()))
    }

    /// Different scripts among the spendable outputs.
    pub(crate) fn output_scripts(&self) -> usize {
        let keys = || {
            self.tx.outputs().zip(self.tx.output_addresses()).filter_map(|(output, address)| match address {
                Some(address) => Some(Some(Key::Address(address))),
                None if is_data(output) => None,
                None => output.script().map(|script| Some(Key::Script(script.as_bytes()))),
            })
        };
        let count = || distinct(keys(), &mut self.room.addresses.borrow_mut());
        *self.output_scripts.get_or_init(|| count().expect("unknown ones were left out"))
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
    room: Option<&'c Cell<Option<Box<Room>>>>,
}

impl<'c> Lazy<'c> {
    pub(crate) fn of(tx: Tx<'c>) -> Self {
        Self { tx, shape: OnceCell::new(), room: None }
    }

    /// As [`of`](Self::of); takes the room for the shape and puts it back.
    pub(crate) fn within(tx: Tx<'c>, room: &'c Cell<Option<Box<Room>>>) -> Self {
        Self { tx, shape: OnceCell::new(), room: Some(room) }
    }

    pub(crate) fn get(&self) -> &Shape<'c> {
        self.shape.get_or_init(|| Shape::within(self.tx, self.room.and_then(Cell::take).unwrap_or_default()))
    }

    /// True when two spendable outputs have one value that is not nothing: without it no detector of mixes says anything. Of the few outputs
    /// that nearly all transactions have it is found out without an allocation.
    pub(crate) fn has_equal_outputs(&self) -> bool {
        self.has_alike(2)
    }

    /// As [`has_equal_outputs`](Self::has_equal_outputs), of so many.
    pub(crate) fn has_alike(&self, count: usize) -> bool {
        const FEW: usize = 8;
        let sats = self.tx.output_sats();
        if sats.len() > FEW {
            return self.get().values().any(|value| value.count >= count && value.sat > 0);
        }
        let (mut seen, mut len) = ([0; FEW], 0);
        for sat in sats.flatten().filter(|sat| *sat > 0) {
            seen[len] = sat;
            len += 1;
            if seen[..len].iter().filter(|known| **known == sat).count() >= count {
                return true;
            }
        }
        false
    }
}

impl Drop for Lazy<'_> {
    fn drop(&mut self) {
        // A look first: most never had a shape.
        if let Some(room) = self.room
            && self.shape.get().is_some()
        {
            room.set(self.shape.take().map(Shape::into_room));
        }
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

fn script_of_input(input: Input<'_>) -> Option<&[u8]> {
    Some(input.prevout()?.script()?.as_bytes())
}

/// How many are different; `None` where one is unknown.
fn distinct<'c>(keys: impl Iterator<Item = Option<Key<'c>>>, addresses: &mut Vec<AddressIndex>) -> Option<usize> {
    addresses.clear();
    let mut scripts = Vec::new();
    for key in keys {
        match key? {
            Key::Address(address) => addresses.push(address),
            Key::Script(script) => scripts.push(script),
        }
    }
    Some(count(addresses) + count(&mut scripts))
}

fn count<T: Ord>(of: &mut [T]) -> usize {
    of.sort_unstable();
    of.chunk_by(|a, b| a == b).count()
}

/// `part` of `whole` in parts of a million, rounded down.
pub(crate) fn ppm(part: usize, whole: usize) -> u32 {
    let share = id::number(part) * 1_000_000 / id::number(whole.max(1));
    u32::try_from(share).unwrap_or(u32::MAX)
}
