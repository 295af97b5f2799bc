//! Binary entropy: what an error rate costs.

/// Shannon's entropy of a bit that is 1 with the probability `ratio`, in bits: 0 for certainty, 1 for a coin.
///
/// H2 in Ma, Qi, Zhao and Lo, Phys. Rev. A 72, 012326 (2005), eq. (1). What is outside of 0 to 1 counts as the nearer end.
#[must_use]
pub fn binary_entropy(ratio: f64) -> f64 {
    if ratio <= 0.0 || ratio >= 1.0 {
        return 0.0;
    }
    let other = 1.0 - ratio;
    -ratio * ratio.log2() - other * other.log2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn certainty_costs_nothing_and_a_coin_everything() {
        assert_eq!((binary_entropy(0.0), binary_entropy(1.0)), (0.0, 0.0));
        assert!((binary_entropy(0.5) - 1.0).abs() < 1e-15);
        // The error rate at which BB84 with ideal one-way correction ends, published as 11.0 % (Shor and Preskill, Phys. Rev.
        // Lett. 85, 441 (2000)): half a bit.
        assert!((binary_entropy(0.110) - 0.5).abs() < 5e-4);
    }

    proptest! {
        #[test]
        fn it_is_symmetric_concave_and_bounded(one in 0.0_f64..=1.0, two in 0.0_f64..=1.0) {
            prop_assert!((binary_entropy(one) - binary_entropy(1.0 - one)).abs() < 1e-12);
            prop_assert!((0.0..=1.0).contains(&binary_entropy(one)));
            let middle = binary_entropy(f64::midpoint(one, two));
            prop_assert!(middle >= f64::midpoint(binary_entropy(one), binary_entropy(two)) - 1e-12);
        }
    }
}
