//! Weighing by the link matrix: an input's value goes to the outputs in proportion to their value and to the share of ways in which both are one
//! participant's.
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
use crate::detect::links::{self, Limits, Matrix, Ways};
use crate::id;
use crate::taint::{draw, split};

/// The flow where the matrix is exact; otherwise what to say.
pub(super) fn flow(
    tx: Tx<'_>,
    inputs: &[Amount],
    outputs: &[Amount],
    intra_fee_ppm: u32,
    limits: Limits,
) -> Result<Flow, How> {
    let found = links::of(tx, intra_fee_ppm, limits).ok_or(How::LinksUndecided)?;
    match (found.ways, &found.matrix) {
        (Ways::Exact(ways), Some(matrix)) => Ok(by_matrix(inputs, outputs, ways, matrix)),
        (Ways::AtLeast(_), _) => Err(How::LinksBounded),
        _ => Err(How::LinksUndecided),
    }
}

fn by_matrix(inputs: &[Amount], outputs: &[Amount], ways: u128, matrix: &Matrix) -> Flow {
    let fee = outputs.len() - 1;
    let mut flow = Flow::new(inputs.len(), outputs.len());
    let mut weights = vec![vec![Amount::ZERO; outputs.len()]; inputs.len()];
    for (input, row) in weights.iter_mut().enumerate() {
        for output in 0..fee {
            row[output] = weight(outputs[output], matrix.cell(output, input), ways);
            if matrix.cell(output, input) > 0 {
                flow.allow(input, output);
            }
        }
        row[fee] = outputs[fee];
        flow.allow(input, fee);
    }
    // In every way the same inputs: nothing is mixed there, unless they are all of them.
    let is_settled = |output: &usize| {
        let mut cells = (0..inputs.len()).map(|input| matrix.cell(*output, input));
        outputs[*output] > Amount::ZERO
            && cells.clone().all(|cell| cell == 0 || cell == ways)
            && cells.any(|cell| cell == 0)
    };
    flow.settled = (0..fee).filter(is_settled).map(id::small).collect();
    pour(inputs, outputs, &weights, &mut flow);
    flow
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
    fn a_sure_link_gets_what_it_can_hold() {
        // Two owners with 10,000 and 13,000, each an equal output of 8,000, and change of 2,000 and 5,000.
        let (inputs, outputs) = ([10_000, 13_000], [8_000, 2_000, 8_000, 5_000]);
        let found = links::count(&inputs, &outputs, links::IntraFees::default(), Limits::default());
        let Ways::Exact(ways) = found.ways else { panic!("exact") };
        let flow =
            by_matrix(&sats(&inputs), &sats(&[8_000, 2_000, 8_000, 5_000, 0]), ways, found.matrix.as_ref().unwrap());
        assert!(flow.row(0)[1] > flow.row(1)[1], "{flow:?}");
        assert!(flow.row(1)[3] > flow.row(0)[3], "{flow:?}");
    }

    #[test]
    fn counts_beyond_64_bits_keep_their_share() {
        let half = weight(Amount::from_sat(1_000_000), u128::MAX / 2, u128::MAX);
        assert!((499_999..=500_000).contains(&half.to_sat()));
    }
}
