//! Has cuDNN compute what is asked for: in libtorch, f32 convolutions take TF32 (10 bits of mantissa) and may add in another
//! order each time. tch binds neither switch; both are libtorch's own.

use std::{ffi::c_void, sync::Once};

use tch::Device;

// `at::globalContext()`, `at::Context::setDeterministicCuDNN(bool)` and `at::Context::setAllowTF32CuDNN(bool)`.
unsafe extern "C" {
    #[link_name = "_ZN2at13globalContextEv"]
    fn global_context() -> *mut c_void;
    #[link_name = "_ZN2at7Context21setDeterministicCuDNNEb"]
    fn set_deterministic(context: *mut c_void, on: bool);
    #[link_name = "_ZN2at7Context17setAllowTF32CuDNNEb"]
    fn set_tf32(context: *mut c_void, on: bool);
}

/// From now on convolutions on GPUs give the same bits each time, and f32 is f32, in the whole process.
pub(super) fn ask_for(device: Device) {
    static ASKED: Once = Once::new();
    if !device.is_cuda() {
        return;
    }
    // SAFETY: a member function takes the object first, as a C function would (the C++ ABI of all but Windows). The
    // context is made once and never freed. Its two flags are set once, before the first learner of a GPU computes.
    ASKED.call_once(|| unsafe {
        let context = global_context();
        set_deterministic(context, true);
        set_tf32(context, false);
    });
}
