package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
)

// network is where tasks are.
type network struct {
	vpc     awsec2.IVpc
	subnets *awsec2.SubnetSelection
	group   awsec2.SecurityGroup
}

// zones are as many as every region has.
const zones = 2

func (f *fleet) makeNetwork() {
	if f.knobs.VPC == "" {
		f.newVPC()
	} else {
		f.existingVPC()
	}
	f.network.group = awsec2.NewSecurityGroup(f.stack, str("Tasks"), &awsec2.SecurityGroupProps{
		Vpc: f.network.vpc, Description: str("Tasks: nothing comes in, and out goes HTTPS only."), AllowAllOutbound: yes(false),
	})
	f.network.group.AddEgressRule(awsec2.Peer_AnyIpv4(), awsec2.Port_Tcp(num(443)), str("AWS, by HTTPS"), nil)
}

// newVPC has public subnets and no NAT: tasks reach SQS, DynamoDB and S3 by
// addresses of their own, to which nothing may connect. S3 and DynamoDB are reached
// within AWS's network, at no charge.
func (f *fleet) newVPC() {
	endpoint := func(s awsec2.GatewayVpcEndpointAwsService) *awsec2.GatewayVpcEndpointOptions {
		return &awsec2.GatewayVpcEndpointOptions{Service: s}
	}
	f.network.vpc = awsec2.NewVpc(f.stack, str("Network"), &awsec2.VpcProps{
		MaxAzs: num(zones), NatGateways: num(0),
		SubnetConfiguration: &[]*awsec2.SubnetConfiguration{{
			Name: str("tasks"), SubnetType: awsec2.SubnetType_PUBLIC, CidrMask: num(18), MapPublicIpOnLaunch: yes(false),
		}},
		GatewayEndpoints: &map[string]*awsec2.GatewayVpcEndpointOptions{
			"S3":       endpoint(awsec2.GatewayVpcEndpointAwsService_S3()),
			"DynamoDB": endpoint(awsec2.GatewayVpcEndpointAwsService_DYNAMODB()),
		},
	})
	f.network.subnets = &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PUBLIC}
}

func (f *fleet) existingVPC() {
	// Of the zones only their number matters here: nothing in the template names them.
	f.network.vpc = awsec2.Vpc_FromVpcAttributes(f.stack, str("Network"), &awsec2.VpcAttributes{
		VpcId: str(f.knobs.VPC), AvailabilityZones: &[]*string{awscdk.Fn_Select(num(0), awscdk.Fn_GetAzs(nil))},
	})
	var subnets []awsec2.ISubnet
	for _, id := range f.knobs.Subnets {
		subnet := awsec2.Subnet_FromSubnetId(f.stack, str(id), str(id))
		awscdk.Annotations_Of(subnet).AcknowledgeWarning(str("@aws-cdk/aws-ec2:noSubnetRouteTableId"), str("Nothing here asks for its routes."))
		subnets = append(subnets, subnet)
	}
	f.network.subnets = &awsec2.SubnetSelection{Subnets: &subnets}
}
