//! The scenarios are a test binary; this library is empty so that cargo has a target to build.
