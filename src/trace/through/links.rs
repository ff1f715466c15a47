//! Weighing by the link matrix: an input's value goes to the outputs in proportion to their value and to the share of ways in which both are one
//! participant's.
//!
//! First, what is settled. An output that belongs with some inputs in every way, and not with all of them, is paid by those; it is theirs unless a
//! participant paid another. (That all coins are one participant's is always one of the ways, so no cell of the matrix is zero.) So is a change that
//! [`change`](crate::detect::coinjoin::change) links, where the matrix settles nothing else.
//!
//! The weights are wishes: outputs have only so much room. So value is poured in rounds. All inputs offer what they have left, by
//! weight, to the outputs that have room; an output that is offered too much takes from each in proportion. Each round empties every
//! input that has a wish or fills an output, so there are no more rounds than outputs. What no wish can place fills what room there is,
//! in proportion. The miners' fee is everybody's, by value.
//!
//! Inputs pour at the same time, so their order decides single satoshis and nothing else.

use bitcoin::Amount;

use super::How;
use super::flow::Flow;
use crate::chain::Tx;
use crate::detect::coinjoin::change::ChangeLink;
use crate::detect::links::{self, Limits, Matrix, Ways};
use crate::id;
use crate::taint::{draw, split};

/// The name and version of this way to divide a mix.
pub(super) const RULE: &str = "mix_links/1";

/// The flow where the matrix is exact; otherwise what to say.
pub(super) fn flow(
    tx: Tx<'_>,
    inputs: &[Amount],
    outputs: &[Amount],
    intra_fee_ppm: u32,
    limits: Limits,
    changes: &[ChangeLink],
) -> Result<Flow, How> {
    let found = links::of(tx, intra_fee_ppm, limits).ok_or(How::LinksUndecided)?;
    match (found.ways, &found.matrix) {
        (Ways::Exact(ways), Some(matrix)) => Ok(by_matrix(inputs, outputs, ways, matrix, changes)),
        (Ways::AtLeast(_), _) => Err(How::LinksBounded),
        _ => Err(How::LinksUndecided),
    }
}

fn by_matrix(inputs: &[Amount], outputs: &[Amount], ways: u128, matrix: &Matrix, changes: &[ChangeLink]) -> Flow {
    let fee = outputs.len() - 1;
    let mut flow = Flow::new(inputs.len(), outputs.len());
    let (mut left, mut room) = (inputs.to_vec(), outputs.to_vec());
    let mut payers: Vec<Vec<usize>> = (0..fee).map(|output| always(matrix, ways, inputs, output)).collect();
    for link in changes {
        let payers = &mut payers[id::at(link.vout)];
        if payers.is_empty() {
            *payers = link.vins.iter().map(|vin| id::at(*vin)).collect();
        }
    }
    for (output, payers) in payers.iter().enumerate().filter(|(_, payers)| !payers.is_empty()) {
        room[output] -= flow.settle(&mut left, payers, output, outputs[output]);
    }
    let mut weights = vec![vec![Amount::ZERO; outputs.len()]; inputs.len()];
    for (input, row) in weights.iter_mut().enumerate() {
        for output in (0..fee).filter(|output| payers[*output].is_empty()) {
            row[output] = weight(outputs[output], matrix.cell(output, input), ways);
            if matrix.cell(output, input) > 0 {
                flow.allow(input, output);
            }
        }
        row[fee] = outputs[fee];
        flow.allow(input, fee);
    }
    pour(&left, &room, &weights, &mut flow);
    flow
}

/// The inputs with which an output is together in every way; none where they are all inputs, for then nothing is told apart.
fn always(matrix: &Matrix, ways: u128, inputs: &[Amount], output: usize) -> Vec<usize> {
    let with = |input: &usize| matrix.cell(output, *input) == ways;
    let found: Vec<usize> = (0..inputs.len()).filter(with).collect();
    let worth = inputs.iter().filter(|input| **input > Amount::ZERO).count();
    if found.len() < worth { found } else { Vec::new() }
}

/// The part of an output's value that the share of ways makes; at least a satoshi where there is a way.
fn weight(value: Amount, cell: u128, ways: u128) -> Amount {
    // Values are below 2^51, so 64 bits of the counts leave room; more would change no satoshi.
    let shift = (u128::BITS - ways.leading_zeros()).saturating_sub(64);
    let share = u128::from(value.to_sat()) * (cell >> shift) / (ways >> shift).max(1);
    let least = u64::from(cell > 0 && value > Amount::ZERO);
    Amount::from_sat(u64::try_from(share).expect("a share is at most the whole").max(least))
}

fn pour(inputs: &[Amount], outputs: &[Amount], weights: &[Vec<Amount>], flow: &mut Flow) {
    let (mut left, mut room) = (inputs.to_vec(), outputs.to_vec());
    loop {
        let offers: Vec<Vec<Amount>> = (0..inputs.len())
            .map(|input| {
                let open = weights[input].iter().zip(&room);
                let open = open.map(|(weight, room)| if *room > Amount::ZERO { *weight } else { Amount::ZERO });
                split(left[input], &open.collect::<Vec<_>>())
            })
            .collect();
        let mut moved = false;
        for output in 0..outputs.len() {
            let column: Vec<Amount> = offers.iter().map(|row| row[output]).collect();
            let offered: Amount = column.iter().copied().sum();
            let taken = split(offered.min(room[output]), &column);
            for (input, amount) in taken.into_iter().enumerate().filter(|(_, amount)| *amount > Amount::ZERO) {
                left[input] -= amount;
                room[output] -= amount;
                flow.add(input, output, amount);
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    let mut columns = 0..outputs.len();
    draw(&left, &room, |row| {
        let column = columns.next().expect("a row is drawn for each output");
        row.iter().enumerate().for_each(|(input, amount)| flow.add(input, column, *amount));
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sats(amounts: &[u64]) -> Vec<Amount> {
        amounts.iter().copied().map(Amount::from_sat).collect()
    }

    proptest! {
        #[test]
        fn what_is_poured_fills_both_margins(
            inputs in prop::collection::vec(0_u64..50, 1..6),
            cuts in prop::collection::vec(0_u64..50, 0..6),
            weights in prop::collection::vec(0_u64..9, 42),
        ) {
            let mut rest: u64 = inputs.iter().sum();
            let mut outputs: Vec<u64> = cuts.iter().map(|cut| { let part = (*cut).min(rest); rest -= part; part }).collect();
            outputs.push(rest);
            let weights: Vec<Vec<Amount>> = (0..inputs.len()).map(|row| sats(&weights[row * 7..][..outputs.len()])).collect();
            let (inputs, outputs) = (sats(&inputs), sats(&outputs));
            let mut flow = Flow::new(inputs.len(), outputs.len());
            pour(&inputs, &outputs, &weights, &mut flow);
            for (row, input) in inputs.iter().enumerate() {
                prop_assert_eq!(flow.row(row).iter().copied().sum::<Amount>(), *input);
            }
            for (column, output) in outputs.iter().enumerate() {
                prop_assert_eq!((0..inputs.len()).map(|row| flow.row(row)[column]).sum::<Amount>(), *output);
            }
        }
    }

    #[test]
    fn an_output_that_goes_with_one_input_in_every_way_is_paid_by_it() {
        // Two owners with 10,000 and 13,000, each an equal output of 8,000, and change of 2,000 and 5,000.
        let (inputs, outputs) = ([10_000, 13_000], [8_000, 2_000, 8_000, 5_000]);
        let found = links::count(&inputs, &outputs, links::IntraFees::default(), Limits::default());
        assert_eq!(found.deterministic().collect::<Vec<_>>(), [(1, 0), (3, 1)]);
        let Ways::Exact(ways) = found.ways else { panic!("exact") };
        let outputs = sats(&[8_000, 2_000, 8_000, 5_000, 0]);
        let flow = by_matrix(&sats(&inputs), &outputs, ways, found.matrix.as_ref().unwrap(), &[]);
        assert_eq!(flow.settled, [1, 3]);
        assert_eq!(flow.row(0), sats(&[4_000, 2_000, 4_000, 0, 0]));
        assert_eq!(flow.row(1), sats(&[4_000, 0, 4_000, 5_000, 0]));
        // Equal coins settle nothing.
        let found = links::count(&[5; 3], &[5; 3], links::IntraFees::default(), Limits::default());
        let Ways::Exact(ways) = found.ways else { panic!("exact") };
        assert!(
            by_matrix(&sats(&[5; 3]), &sats(&[5, 5, 5, 0]), ways, found.matrix.as_ref().unwrap(), &[])
                .settled
                .is_empty()
        );
    }

    #[test]
    fn counts_beyond_64_bits_keep_their_share() {
        let half = weight(Amount::from_sat(1_000_000), u128::MAX / 2, u128::MAX);
        assert!((499_999..=500_000).contains(&half.to_sat()));
    }
}
