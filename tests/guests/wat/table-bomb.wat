;; Grows a table by a million elements at a time until it has `goal` of them or the host refuses:
;; `attempt(goal)` returns how many it has.
(component
  (core module $guest
    (table $table 0 funcref)
    (func (export "attempt") (param $goal i32) (result i32)
      (block $done
        (loop $again
          (br_if $done (i32.ge_u (table.size $table) (local.get $goal)))
          (br_if $done
            (i32.eq (table.grow $table (ref.null func) (i32.const 1000000)) (i32.const -1)))
          (br $again)))
      table.size $table))
  (core instance $guest (instantiate $guest))
  (func (export "attempt") (param "goal" u32) (result u32)
    (canon lift (core func $guest "attempt"))))
