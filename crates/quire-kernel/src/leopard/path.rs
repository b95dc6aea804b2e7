//! The ways to multiply rows, and which of them this processor has.

#[cfg(target_arch = "x86_64")]
use super::simd::{Affine8, Affine16, Avx2, Avx2Gfni, Avx512Gfni, Avx512Gfni16, Shuffle8, Shuffle16, Ssse3};
use super::simd::{Kernel, Portable8, Portable16};
#[cfg(target_arch = "aarch64")]
use super::simd::{Neon, Shuffle8, Shuffle16};
use std::sync::OnceLock;

/// One way to multiply rows. All give the same bytes; tests force each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// 64 bytes a register, products by matrices of bits.
    Avx512Gfni,
    /// 32 bytes a register, products by matrices of bits.
    Avx2Gfni,
    /// 32 bytes a register, products by lookups of nibbles.
    Avx2,
    /// 16 bytes a register, products by lookups of nibbles.
    Neon,
    /// 16 bytes a register, products by lookups of nibbles.
    Ssse3,
    /// Plain Rust. Works everywhere.
    Portable,
}

impl Path {
    /// Every path, the fastest first.
    pub const ALL: [Self; 6] = [Self::Avx512Gfni, Self::Avx2Gfni, Self::Avx2, Self::Neon, Self::Ssse3, Self::Portable];

    /// The fastest path of this processor.
    pub fn best() -> Self {
        static BEST: OnceLock<Path> = OnceLock::new();
        *BEST.get_or_init(|| Self::ALL.into_iter().find(|path| path.is_available()).unwrap_or(Self::Portable))
    }

    /// Whether this processor has the instructions.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Gfni => Avx512Gfni::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2Gfni => Avx2Gfni::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Ssse3 => Ssse3::detect().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => Neon::detect().is_some(),
            _ => false,
        }
    }

    /// Run `task` with the kernel of this path and field; with the portable one where the processor
    /// does not have the path.
    pub(super) fn run<T: Task>(self, bits: u32, task: T) {
        #[cfg(target_arch = "x86_64")]
        match self {
            Self::Avx512Gfni => {
                if let Some(lanes) = Avx512Gfni::detect() {
                    return by_bits(bits, task, Affine8(lanes), Avx512Gfni16(lanes));
                }
            }
            Self::Avx2Gfni => {
                if let Some(lanes) = Avx2Gfni::detect() {
                    return by_bits(bits, task, Affine8(lanes), Affine16(lanes));
                }
            }
            Self::Avx2 => {
                if let Some(lanes) = Avx2::detect() {
                    return by_bits(bits, task, Shuffle8(lanes), Shuffle16(lanes));
                }
            }
            Self::Ssse3 => {
                if let Some(lanes) = Ssse3::detect() {
                    return by_bits(bits, task, Shuffle8(lanes), Shuffle16(lanes));
                }
            }
            Self::Neon | Self::Portable => {}
        }
        #[cfg(target_arch = "aarch64")]
        if let (Self::Neon, Some(lanes)) = (self, Neon::detect()) {
            return by_bits(bits, task, Shuffle8(lanes), Shuffle16(lanes));
        }
        by_bits(bits, task, Portable8, Portable16);
    }
}

fn by_bits<T: Task>(bits: u32, task: T, small: impl Kernel, large: impl Kernel) {
    if bits == 8 { task.run(small) } else { task.run(large) }
}

/// What is done the same way on every path.
pub(super) trait Task {
    fn run<K: Kernel>(self, kernel: K);
}
