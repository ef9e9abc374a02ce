;; A core module that is no WASI module: it wants functions nobody defines.
(module
  (import "env" "launch_missiles" (func $launch (param i32) (result i32)))
  (func (export "_start") (drop (call $launch (i32.const 1)))))
