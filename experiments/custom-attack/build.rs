//! Tells the linker where libtorch lies; absent without the feature `torch` of `phalanx`. It is named once more because a
//! CUDA build registers its GPU code by being loaded, and no symbol of ours would make the linker keep it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Ok(folder) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
        if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
            println!("cargo::rustc-link-arg=-Wl,--no-as-needed");
            println!("cargo::rustc-link-arg=-ltorch");
        }
    }
}
