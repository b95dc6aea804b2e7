//! `1·B_1 + 2·B_2 + 3·B_3 + …` of many rows of buckets at once.

use ark_ec::short_weierstrass::Projective;
use ark_ff::AdditiveGroup;
use rayon::prelude::*;

use crate::addition::{self, Group, Machine, Sum};
use crate::cancel::Cancel;
use crate::error::Result;

/// Buckets that one running sum goes through. The sums of all stretches of all rows run beside
/// each other.
const STRETCH: usize = 16;
const STRETCH_LOG: u32 = STRETCH.trailing_zeros();
/// Rows that are worked on together.
const ROWS: usize = 8;

/// The weighted sum of each row; all rows have one length.
pub fn weighted<G: Group>(
    machine: Machine,
    rows: &[Vec<G::Point>],
    cancel: &Cancel,
) -> Result<Vec<Projective<G::Curve>>> {
    let groups = rows.par_chunks(ROWS).map(|rows| {
        cancel.check()?;
        Ok(weighted_group::<G>(machine, rows))
    });
    Ok(groups.collect::<Result<Vec<_>>>()?.concat())
}

fn weighted_group<G: Group>(machine: Machine, rows: &[Vec<G::Point>]) -> Vec<Projective<G::Curve>> {
    let length = rows.first().map_or(0, Vec::len);
    if length <= STRETCH {
        return rows.iter().map(|row| weighted_row::<G>(row)).collect();
    }
    let stretches = length.div_ceil(STRETCH);
    let lanes = rows.len() * stretches;
    let flat: Vec<G::Point> = rows.concat();
    let (mut running, mut total) = (vec![G::ZERO; lanes], vec![G::ZERO; lanes]);
    let mut sums = Vec::with_capacity(lanes);
    for step in (0..STRETCH).rev() {
        sums.clear();
        for lane in 0..lanes {
            let at = lane % stretches * STRETCH + step;
            if at < length {
                let right = (lane / stretches * length + at) as u32;
                sums.push(Sum { left: lane as u32, right, to: lane as u32 });
            }
        }
        addition::add_onto::<G>(machine, &mut running, &flat, &sums);
        for sum in &mut sums {
            sum.right = sum.left;
        }
        addition::add_onto::<G>(machine, &mut total, &running, &sums);
    }
    // A stretch counts from one again: stretch j lacks j·16 times the sum of its buckets.
    let above: Vec<Vec<G::Point>> = running.chunks(stretches).map(|row| row[1..].to_vec()).collect();
    let above = weighted_group::<G>(machine, &above);
    let rows = total.chunks(stretches).zip(above);
    rows.map(|(parts, mut above)| {
        for _ in 0..STRETCH_LOG {
            above.double_in_place();
        }
        parts.iter().fold(above, |sum, part| sum + G::read(part))
    })
    .collect()
}

fn weighted_row<G: Group>(row: &[G::Point]) -> Projective<G::Curve> {
    let (mut running, mut total) = (Projective::<G::Curve>::ZERO, Projective::<G::Curve>::ZERO);
    for bucket in row.iter().rev() {
        running += G::read(bucket);
        total += running;
    }
    total
}
