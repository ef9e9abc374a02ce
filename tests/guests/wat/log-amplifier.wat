;; Hands the host `count` log fields which are all the same 60 kB of its memory, so that the host has
;; to copy far more than the guest holds: `attempt(count)`, at most 4,000.
(component
  (import "ringfence:host/log@0.1.0" (instance $log
    (type $cases (enum "debug" "info" "warn" "error"))
    (export "level" (type $level (eq $cases)))
    (export "write" (func
      (param "level" $level)
      (param "message" string)
      (param "fields" (list (tuple string string)))))))
  (core module $store (memory (export "memory") 2))
  (core instance $store (instantiate $store))
  (alias core export $store "memory" (core memory $memory))
  (core func $write (canon lower (func $log "write") (memory $memory)))
  (core module $guest
    (import "host" "write" (func $write (param i32 i32 i32 i32 i32)))
    (import "store" "memory" (memory 2))
    (func (export "attempt") (param $count i32) (result i32)
      (local $at i32) (local $left i32)
      (local.set $at (i32.const 65536))
      (local.set $left (local.get $count))
      (block $done
        (loop $again
          (br_if $done (i32.eqz (local.get $left)))
          (i32.store (local.get $at) (i32.const 16))
          (i32.store offset=4 (local.get $at) (i32.const 60000))
          (i32.store offset=8 (local.get $at) (i32.const 16))
          (i32.store offset=12 (local.get $at) (i32.const 60000))
          (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br $again)))
      (call $write
        (i32.const 1) (i32.const 16) (i32.const 5) (i32.const 65536) (local.get $count))
      local.get $count))
  (core instance $guest (instantiate $guest
    (with "host" (instance (export "write" (func $write))))
    (with "store" (instance $store))))
  (func (export "attempt") (param "count" u32) (result u32)
    (canon lift (core func $guest "attempt"))))
