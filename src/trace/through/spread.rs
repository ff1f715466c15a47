//! Spreading over the anonymity set: a mix's value with the linked change cut out, in proportion.
//!
//! An output that is the change of some inputs ([`change`](crate::detect::coinjoin::change)) is paid by them, each in proportion to its value.
//! What is left of all inputs pays the other outputs and the fee, each input every output in proportion: equal outputs get equal
//! parts, up to a satoshi an input. Both margins are exact, by the draw of haircut (DESIGN.md, "How does haircut stay exact?"); single satoshis
//! go where most is owed, then to the lower input.
//!
//! Without a linked change this is the haircut of the transaction, whatever the rule of the run is.

use bitcoin::Amount;

use super::flow::Flow;
use crate::detect::coinjoin::change::ChangeLink;
use crate::id;
use crate::taint::draw;

/// The name and version of this way to divide a mix.
pub(super) const RULE: &str = "mix_spread/1";

/// The outputs end with the fee.
pub(super) fn flow(inputs: &[Amount], outputs: &[Amount], changes: &[ChangeLink]) -> Flow {
    let mut flow = Flow::new(inputs.len(), outputs.len());
    let mut left = inputs.to_vec();
    for link in changes {
        let payers: Vec<usize> = link.vins.iter().map(|vin| id::at(*vin)).collect();
        flow.settle(&mut left, &payers, id::at(link.vout), outputs[id::at(link.vout)]);
    }
    let linked = |column: &usize| changes.iter().any(|link| id::at(link.vout) == *column);
    let pool: Vec<usize> = (0..outputs.len()).filter(|column| !linked(column)).collect();
    let values: Vec<Amount> = pool.iter().map(|column| outputs[*column]).collect();
    let mut columns = pool.iter();
    draw(&left, &values, |row| {
        let column = *columns.next().expect("a row is drawn for each column of the pool");
        for (input, amount) in row.iter().enumerate() {
            flow.add(input, column, *amount);
            flow.allow(input, column);
        }
    });
    flow
}
