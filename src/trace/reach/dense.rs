//! The dense engine: every transaction of the chain in order, one look at each input.

use super::super::Stop;
use super::live::{Cell, Live};
use super::run::{Held, Run};
use crate::id::{BlockHeight, TxIndex};
use crate::taint::flat::Flat;

/// Goes on from the transaction `from`, over which nothing placed is spent, to the view's end.
///
/// Returns what could not be spent in order: an output of a coinbase that its own block spends, which no valid chain has.
pub(super) fn pass<F: Flat, S: Stop + ?Sized>(
    run: &mut Run<'_, '_, F, S>,
    from: TxIndex,
    placed: impl Iterator<Item = (TxIndex, Held<F::Mark>)>,
) -> Vec<(TxIndex, Held<F::Mark>)> {
    let hot = run.hot;
    let view = run.view;
    let columns = view.columns();
    let mut live = Live::new(hot.outputs_len());
    for (_, held) in placed {
        live.put(held.output, Cell { mark: held.mark, hops: held.hops });
    }
    let mut taken = Vec::new();
    let all = view.height().is_none();
    let first_block = columns.block_of(from).unwrap_or(0);
    for block in first_block..columns.blocks() {
        let txs = columns.txs_of_block(block);
        let (start, end) = (txs.start.max(from), txs.end.min(view.end()));
        if start >= end {
            continue;
        }
        let height = BlockHeight::from_u32(columns.height_of_block(block));
        let mut input = hot.inputs(start).start;
        for tx in (start.to_u32()..end.to_u32()).map(TxIndex::from_u32) {
            let inputs = input..hot.inputs_end(tx);
            input = inputs.end;
            let first = inputs.start;
            // As of a height, what has no height is not there.
            if all || view.sees(tx) {
                for at in inputs {
                    if let Some(prevout) = hot.prevout(at)
                        && let Some(cell) = live.take(prevout)
                    {
                        let held = Held { output: prevout, tx: TxIndex::default(), hops: cell.hops, mark: cell.mark };
                        taken.push((at - first, held));
                    }
                }
            }
            if !taken.is_empty() {
                if run.cuts() {
                    taken.iter_mut().for_each(|(_, held)| held.tx = columns.tx_of_output(held.output));
                }
                run.cross(tx, &mut taken);
                for (_, held) in run.placed.drain(..) {
                    live.put(held.output, Cell { mark: held.mark, hops: held.hops });
                }
            }
        }
        while let Some((pending, _)) = run.pending().filter(|(pending, _)| *pending <= height) {
            run.pay_coinbase(pending);
            for (_, held) in run.placed.drain(..) {
                live.put(held.output, Cell { mark: held.mark, hops: held.hops });
            }
        }
    }
    let left = live.into_rest().into_iter().filter_map(|(output, cell)| {
        let tx = columns.tx_of_output(output);
        Some((hot.spender(output.at())?, Held { output, tx, hops: cell.hops, mark: cell.mark }))
    });
    left.collect()
}
