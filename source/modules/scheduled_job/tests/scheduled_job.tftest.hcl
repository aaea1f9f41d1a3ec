mock_provider "aws" {}

variables {
  context = jsondecode(file("../../tests/context.json"))

  archive       = { bucket = "packages", key = "core.zip", hash = "hash" }
  step          = "sweep"
  description   = "open for too long -> again"
  every_minutes = 5
}

run "runs_every_few_minutes_with_dead_letters" {
  command = plan

  assert {
    condition     = aws_scheduler_schedule.this.schedule_expression == "rate(5 minutes)"
    error_message = "another rhythm than asked for"
  }

  assert {
    condition     = aws_scheduler_schedule.this.target[0].retry_policy[0].maximum_retry_attempts == 3
    error_message = "one failed call would skip a run"
  }

  assert {
    condition     = module.function.name == "test-postbus-sweep"
    error_message = "the function has another name than the command looks for"
  }

  assert {
    condition     = [for s in jsondecode(module.schedule_role.policy).Statement : s.Resource if s.Sid == "Invoke"] == [["arn:aws:lambda:eu-central-1:111122223333:function:test-postbus-sweep"]]
    error_message = "the schedule may call something else"
  }
}

run "knows_the_singular" {
  command = plan

  variables {
    every_minutes = 1
  }

  assert {
    condition     = aws_scheduler_schedule.this.schedule_expression == "rate(1 minute)"
    error_message = "AWS refuses rate(1 minutes)"
  }
}
