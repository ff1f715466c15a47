//! The sparse engine: a queue of the transactions that spend what is tainted.
//!
//! What is held lies in a flat list; the queue has a word for each entry, the spender above and the place in the list below, so taking the
//! smallest takes the first transaction of the chain, with all that has arrived at it.

use super::super::Stop;
use super::queue::Queue;
use super::run::{Held, Run};
use crate::id::{self, TxIndex};
use crate::taint::flat::Flat;

pub(super) struct Sparse<M> {
    held: Vec<Held<M>>,
    free: Vec<u32>,
    queue: Queue,
    /// The tainted inputs of the transaction at hand.
    taken: Vec<(usize, Held<M>)>,
    visited: u64,
    /// Where the chain stood so many visits ago, to see how dense the taint has become.
    mark: TxIndex,
}

/// How many visits the density is measured over.
const SPAN: u64 = 4096;

/// When to leave the rest to the dense engine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum GiveWay {
    Never,
    /// When so many transactions, or fewer, lie between two visits.
    WhenDense(u64),
    After(u64),
}

impl<M: Copy + Default + PartialEq> Sparse<M> {
    pub(super) fn new() -> Self {
        Self {
            held: Vec::new(),
            free: Vec::new(),
            queue: Queue::new(),
            taken: Vec::new(),
            visited: 0,
            mark: TxIndex::default(),
        }
    }

    /// Takes what the run has placed.
    pub(super) fn take<F: Flat<Mark = M>, S: Stop + ?Sized>(&mut self, run: &mut Run<'_, '_, F, S>) {
        for (spender, held) in run.placed.drain(..) {
            let at = match self.free.pop() {
                Some(at) => {
                    self.held[id::at(at)] = held;
                    at
                }
                None => {
                    self.held.push(held);
                    id::small(self.held.len() - 1)
                }
            };
            self.queue.push(u64::from(spender.to_u32()) << 32 | u64::from(at));
        }
    }

    /// The next transaction to visit.
    pub(super) fn next(&mut self) -> Option<TxIndex> {
        self.queue.peek_before(u32::MAX).map(TxIndex::from_u32)
    }

    /// Visits transactions until there are none, or until it is time to give way.
    pub(super) fn run<F: Flat<Mark = M>, S: Stop + ?Sized>(&mut self, run: &mut Run<'_, '_, F, S>, give_way: GiveWay) {
        self.take(run);
        loop {
            // A coinbase is paid before anything after its block; who spends it may stand before the next in the queue.
            let pending = run.pending();
            let end = pending.map_or(TxIndex::from_u32(u32::MAX), |(_, end)| end);
            let Some(tx) = self.queue.peek_before(end.to_u32()).map(TxIndex::from_u32) else {
                let Some((block, _)) = pending else { return };
                run.pay_coinbase(block);
                self.take(run);
                continue;
            };
            let leave = match give_way {
                GiveWay::Never => false,
                GiveWay::WhenDense(apart) => self.is_dense(tx, apart),
                GiveWay::After(visits) => run.transactions >= visits,
            };
            if leave {
                return;
            }
            self.gather(tx, run);
            run.cross(tx, &mut self.taken);
            self.take(run);
        }
    }

    fn is_dense(&mut self, tx: TxIndex, apart: u64) -> bool {
        self.visited += 1;
        if !self.visited.is_multiple_of(SPAN) {
            return false;
        }
        let passed = u64::from(tx.to_u32() - self.mark.to_u32());
        self.mark = tx;
        self.visited > SPAN && passed < SPAN * apart
    }

    /// Takes everything off the queue that this transaction spends, each with its place among the inputs.
    fn gather<F: Flat<Mark = M>, S: Stop + ?Sized>(&mut self, tx: TxIndex, run: &Run<'_, '_, F, S>) {
        while let Some(word) = self.queue.pop() {
            let at = id::low(word);
            self.taken.push((usize::MAX, self.held[id::at(at)]));
            self.free.push(at);
        }
        let inputs = run.hot.inputs(tx);
        if inputs.len() == 1 {
            self.taken[0].0 = 0;
            return;
        }
        if self.taken.len() > 1 {
            self.taken.sort_unstable_by_key(|(_, held)| held.output);
        }
        let mut found = 0;
        for (at, input) in inputs.enumerate() {
            let Some(prevout) = run.hot.prevout(input) else { continue };
            let held = match &self.taken[..] {
                [(_, only)] => (only.output == prevout).then_some(0),
                many => many.binary_search_by_key(&prevout, |(_, held)| held.output).ok(),
            };
            if let Some(held) = held {
                self.taken[held].0 = at;
                found += 1;
                if found == self.taken.len() {
                    break;
                }
            }
        }
    }

    /// Hands everything over, to go on with another engine.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (TxIndex, Held<M>)> + '_ {
        let held = &self.held;
        self.queue.drain().map(move |word| (TxIndex::from_u32(id::high(word)), held[id::at(id::low(word))]))
    }
}
