//! Memory of a GPU, as CUDA's runtime tells it, which libtorch's CUDA build brings into this process.

use std::{
    ffi::{CStr, c_int, c_void},
    mem::transmute,
};

/// `cudaGetDevice`
type Device = unsafe extern "C" fn(*mut c_int) -> c_int;
/// `cudaSetDevice`
type Choose = unsafe extern "C" fn(c_int) -> c_int;
/// `cudaMemGetInfo`: what is free and all there is
type Memory = unsafe extern "C" fn(*mut usize, *mut usize) -> c_int;

/// Bytes that GPU `number` has, whoever holds them; none if CUDA's runtime is not here or does not say.
pub fn gpu_memory(number: usize) -> Option<u64> {
    Runtime::found()?.memory(number)
}

/// Functions of CUDA's runtime; those that return a number return 0 if all is well.
struct Runtime {
    device: Device,
    choose: Choose,
    memory: Memory,
}

impl Runtime {
    fn found() -> Option<Self> {
        let [device, choose, memory] = [c"cudaGetDevice", c"cudaSetDevice", c"cudaMemGetInfo"].map(symbol);
        // SAFETY: functions of these names are CUDA's, and have had these types in all its versions.
        unsafe {
            Some(Self {
                device: transmute::<*mut c_void, Device>(device?),
                choose: transmute::<*mut c_void, Choose>(choose?),
                memory: transmute::<*mut c_void, Memory>(memory?),
            })
        }
    }

    /// Bytes of GPU `number`; this thread's GPU is afterwards what it was.
    fn memory(&self, number: usize) -> Option<u64> {
        let number = c_int::try_from(number).ok()?;
        let (mut before, mut free, mut all) = (0, 0, 0);
        // SAFETY: the functions write to the numbers whose addresses they are given, and keep none of them.
        unsafe {
            well((self.device)(&raw mut before))?;
            well((self.choose)(number))?;
            let told = well((self.memory)(&raw mut free, &raw mut all));
            well((self.choose)(before))?;
            told?;
        }
        u64::try_from(all).ok()
    }
}

fn well(status: c_int) -> Option<()> {
    (status == 0).then_some(())
}

/// The function of that name in one of the libraries that this process was started with.
fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name ends with a zero byte.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI32, Ordering::SeqCst};

    use super::*;

    /// The GPU in use of a pretended runtime with GPUs 0 to 2, of 1000 bytes and more; the last does not tell.
    static AT: AtomicI32 = AtomicI32::new(0);

    unsafe extern "C" fn device(number: *mut c_int) -> c_int {
        // SAFETY: it is the address of a number.
        unsafe { *number = AT.load(SeqCst) };
        0
    }

    unsafe extern "C" fn choose(number: c_int) -> c_int {
        if number > 2 {
            return 101;
        }
        AT.store(number, SeqCst);
        0
    }

    unsafe extern "C" fn memory(free: *mut usize, all: *mut usize) -> c_int {
        // SAFETY: they are addresses of numbers.
        unsafe { (*free, *all) = (10, 1000 + AT.load(SeqCst) as usize) };
        if AT.load(SeqCst) == 2 { 2 } else { 0 }
    }

    #[test]
    fn another_gpu_is_asked_and_left_again() {
        let runtime = Runtime { device, choose, memory };
        for at in [0, 1] {
            AT.store(at, SeqCst);
            assert_eq!(
                [0, 1, 2, 3].map(|number| runtime.memory(number)),
                [Some(1000), Some(1001), None, None]
            );
            assert_eq!(AT.load(SeqCst), at);
        }
    }

    #[test]
    fn a_function_is_found_by_name_and_one_that_is_not_there_is_not() {
        assert!(symbol(c"getpid").is_some() && symbol(c"noSuchFunctionOfCuda").is_none());
    }
}
