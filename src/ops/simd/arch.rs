//! Chooses the widest vectors of the processor at run time.

use std::sync::OnceLock;

use candle_core::{Result, bail};
use pulp::{Arch, NullaryFnOnce};

/// The widest vectors of this processor: AVX-512, AVX2 with FMA, those of other kinds of processor
/// that pulp knows, or plain code. On x86 the environment variable `ISOPATH_SIMD` chooses `avx512`,
/// `avx2` or `scalar`.
pub(crate) fn arch() -> Result<Arch> {
    static ARCH: OnceLock<std::result::Result<Arch, String>> = OnceLock::new();
    match ARCH.get_or_init(|| choose(std::env::var("ISOPATH_SIMD").ok().as_deref())) {
        Ok(arch) => Ok(*arch),
        Err(message) => bail!("{message}"),
    }
}

/// [`arch`], or AVX2 instead of AVX-512 where half a vector would be left empty at the end of
/// `length` numbers.
pub(in crate::ops) fn narrowest<T>(length: usize) -> Result<Arch> {
    let widest = arch()?;
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    if let Arch::V4(_) = widest {
        let lanes = 64 / size_of::<T>();
        let rest = length % lanes;
        if rest > 0 && rest <= lanes / 2 {
            return Ok(pulp::x86::V3::try_new().map_or(widest, Arch::V3));
        }
    }
    Ok(widest)
}

/// Runs a loop, `{ … }`, with the vectors of a [`pulp::Arch`].
///
/// Its body becomes a part of the function that may use them, whatever its length: a closure that
/// `Arch::dispatch` itself calls does so only if it is short, and else runs without them. The functions
/// that it calls need an `#[inline(always)]` for the same reason.
macro_rules! vectorised {
    ($arch:expr, $body:expr) => {
        $arch.dispatch($crate::ops::Loop(
            #[inline(always)]
            || $body,
        ))
    };
}
pub(crate) use vectorised;

/// The loop of [`vectorised`].
pub(crate) struct Loop<F>(pub F);

// By reference: what calls a closure by value is a function of its own, which is not always inlined.
impl<R, F: FnMut() -> R> NullaryFnOnce for Loop<F> {
    type Output = R;

    #[inline(always)]
    fn call(mut self) -> R {
        (self.0)()
    }
}

fn choose(name: Option<&str>) -> std::result::Result<Arch, String> {
    let found = match name {
        None | Some("") => Some(Arch::new()),
        Some("scalar") => Some(Arch::Scalar),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Some("avx2") => pulp::x86::V3::try_new().map(Arch::V3),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Some("avx512") => pulp::x86::V4::try_new().map(Arch::V4),
        Some(_) => None,
    };
    let expected = "scalar, or one of avx2 and avx512 that the processor has";
    found.ok_or_else(|| {
        format!(
            "ISOPATH_SIMD is {}; expected {expected}",
            name.unwrap_or_default()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_not_there_is_refused() {
        assert!(matches!(choose(Some("scalar")), Ok(Arch::Scalar)));
        assert!(choose(None).is_ok() && choose(Some("")).is_ok());
        assert_eq!(
            choose(Some("avx3")).unwrap_err(),
            "ISOPATH_SIMD is avx3; expected scalar, or one of avx2 and avx512 that the processor has"
        );
    }

    /// Without pulp's features `x86-v3` and `x86-v4` it would find plain code only.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_widest_vectors_are_taken() {
        if std::is_x86_feature_detected!("avx512f") {
            assert!(matches!(choose(None), Ok(Arch::V4(_))));
        } else if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            assert!(matches!(choose(None), Ok(Arch::V3(_))));
        }
    }
}
