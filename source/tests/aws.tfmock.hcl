# What a made-up resource must have where another takes its address: tests that apply read these.

mock_resource "aws_sqs_queue" {
  defaults = { arn = "arn:aws:sqs:eu-central-1:111122223333:queue" }
}

mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::111122223333:role/role" }
}

mock_resource "aws_lambda_function" {
  defaults = { arn = "arn:aws:lambda:eu-central-1:111122223333:function:function" }
}

mock_resource "aws_sfn_state_machine" {
  defaults = { arn = "arn:aws:states:eu-central-1:111122223333:stateMachine:machine" }
}

mock_resource "aws_cognito_user_pool" {
  defaults = { id = "eu-central-1_pool", arn = "arn:aws:cognito-idp:eu-central-1:111122223333:userpool/eu-central-1_pool" }
}

mock_resource "aws_cognito_user_pool_client" {
  defaults = { id = "client-id", client_secret = "client-secret" }
}

mock_resource "aws_api_gateway_rest_api" {
  defaults = { id = "api", execution_arn = "arn:aws:execute-api:eu-central-1:111122223333:api" }
}

mock_resource "aws_api_gateway_stage" {
  defaults = { arn = "arn:aws:apigateway:eu-central-1::/restapis/api/stages/live" }
}

mock_resource "aws_cloudwatch_log_group" {
  defaults = { arn = "arn:aws:logs:eu-central-1:111122223333:log-group:group" }
}
