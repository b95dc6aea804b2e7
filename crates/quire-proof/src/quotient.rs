//! `A(x)B(x) - C(x)` at the odd roots of the domain of twice the size, from the values of A and B at
//! the roots of the domain; C is their product there.
//!
//! The coefficients of each are shifted by a root of order twice the size, which takes the values to
//! where the polynomial of the domain is not zero (proofs.md 5.1).

use ark_bn254::Fr;
use ark_ff::{Field, One, PrimeField};
use rayon::prelude::*;

use crate::addition::Machine;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::ntt::{self, Domain};
#[cfg(target_arch = "x86_64")]
use crate::{lanes, quotient_ifma};

/// Numbers in standard form.
///
/// # Errors
/// `Cancelled`.
///
/// # Panics
/// When `a` and `b` are not both as long as one power of two.
pub fn quotient(machine: Machine, a: Vec<Fr>, b: Vec<Fr>, cancel: &Cancel) -> Result<Vec<[u64; 4]>> {
    assert!(a.len() == b.len() && a.len().is_power_of_two(), "values on one domain");
    match machine {
        #[cfg(target_arch = "x86_64")]
        Machine::Ifma if lanes::available() && a.len() >= quotient_ifma::MIN_DOMAIN => {
            // SAFETY: the processor has the features.
            unsafe { quotient_ifma::quotient(a, b, cancel) }
        }
        _ => plain(a, b, cancel),
    }
}

fn plain(mut a: Vec<Fr>, mut b: Vec<Fr>, cancel: &Cancel) -> Result<Vec<[u64; 4]>> {
    let mut c: Vec<Fr> = a.par_iter().zip(&b).map(|(a, b)| *a * b).collect();
    let domain = Domain::new(a.len());
    let size = Fr::from(a.len() as u64).inverse().unwrap_or(Fr::one());
    let shifts = ntt::powers(size, ntt::root_of_unity(a.len().trailing_zeros() + 1), a.len());
    [&mut a, &mut b, &mut c].into_par_iter().try_for_each(|values| {
        cancel.check()?;
        domain.to_coefficients(values);
        ntt::scale(values, &shifts);
        cancel.check()?;
        domain.to_values(values);
        Ok::<_, Error>(())
    })?;
    Ok(a.par_iter().zip(&b).zip(&c).map(|((a, b), c)| (*a * b - c).into_bigint().0).collect())
}

#[cfg(test)]
mod tests {
    use ark_ff::UniformRand;

    use super::*;

    #[test]
    fn the_machines_agree_at_every_size() {
        let mut rng = ark_std::test_rng();
        for log in 0..14 {
            let mut values = || (0..1 << log).map(|_| Fr::rand(&mut rng)).collect::<Vec<_>>();
            let (a, b) = (values(), values());
            let found = quotient(Machine::best(), a.clone(), b.clone(), &Cancel::new()).unwrap();
            assert!(found == quotient(Machine::Plain, a, b, &Cancel::new()).unwrap(), "2^{log}");
        }
    }

    #[test]
    fn values_at_the_edge_of_the_field_agree() {
        let a: Vec<Fr> = (0..1 << 12).map(|i| if i % 3 == 0 { -Fr::one() } else { Fr::from(0u64) }).collect();
        let b: Vec<Fr> = (0..1 << 12).map(|i| -Fr::from(i % 2 + 1)).collect();
        let found = quotient(Machine::best(), a.clone(), b.clone(), &Cancel::new()).unwrap();
        assert!(found == quotient(Machine::Plain, a, b, &Cancel::new()).unwrap());
    }

    #[test]
    fn a_quotient_is_one_of_polynomials() {
        // With A = B = x on a domain of two, A·B - C = x² - 1, and is r² - 1 at a root r of order 4.
        let x = vec![Fr::one(), -Fr::one()];
        let found = quotient(Machine::Plain, x.clone(), x, &Cancel::new()).unwrap();
        assert_eq!(found, [(-Fr::from(2u64)).into_bigint().0; 2]);
    }
}
